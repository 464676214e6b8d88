import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * `ledger` is append-only, a row per request and model (`part`); `ledger_intents` holds the requests in flight. Money is
 * nano-dollars. `day` is YYYY-MM-DD in the time zone configured when the row was made.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE ledger (
    request_id text NOT NULL,
    part integer NOT NULL,
    at bigint NOT NULL,
    day text NOT NULL COLLATE "C",
    tenant text NOT NULL,
    agent text NOT NULL,
    conversation text,
    model text NOT NULL,
    input bigint NOT NULL,
    write_5m bigint NOT NULL,
    write_1h bigint NOT NULL,
    cache_read bigint NOT NULL,
    output bigint NOT NULL,
    web_searches integer NOT NULL,
    cost bigint NOT NULL,
    saved_cache bigint NOT NULL,
    saved_context bigint NOT NULL,
    saved_routing bigint NOT NULL,
    raw_tokens bigint NOT NULL,
    status text NOT NULL,
    estimated boolean NOT NULL,
    PRIMARY KEY (request_id, part)
  )`
  yield* sql`CREATE INDEX ledger_by_day ON ledger (day)`
  yield* sql`CREATE TABLE ledger_intents (
    request_id text PRIMARY KEY,
    at bigint NOT NULL,
    day text NOT NULL,
    tenant text NOT NULL,
    agent text NOT NULL,
    conversation text,
    model text NOT NULL,
    reserved bigint NOT NULL
  )`
  yield* sql`CREATE TABLE ledger_control (
    name text PRIMARY KEY,
    value text NOT NULL
  )`
})
