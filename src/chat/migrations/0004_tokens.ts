import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** Gateway tokens: `digest` is the SHA-256 of the token, which is kept nowhere. `budget` is nano-dollars a day. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE tokens (
    name text PRIMARY KEY,
    digest text NOT NULL UNIQUE,
    agent text,
    priority text,
    budget bigint,
    share float8 NOT NULL,
    created bigint NOT NULL
  )`
})
