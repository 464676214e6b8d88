import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** What the token estimator learned, a row per model: `state` is JSON. `updated_at` is milliseconds since the epoch. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE estimator_state (
    model text PRIMARY KEY,
    state text NOT NULL,
    updated_at bigint NOT NULL
  )`
})
