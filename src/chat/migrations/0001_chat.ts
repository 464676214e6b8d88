import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * `key` orders conversations by creation and keeps the rows that belong to one small. `messages` and `tokens` are its
 * running totals: the next sequence number, and what `tokens_before` of the next message will be. Texts that may hold
 * any character (`content`, `text`, agent names) are stored as JSON text, because Postgres refuses NUL.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE conversations (
    key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    tenant text COLLATE "C" NOT NULL,
    title text,
    model text,
    messages integer NOT NULL DEFAULT 0,
    tokens bigint NOT NULL DEFAULT 0,
    layout text,
    created_at bigint NOT NULL
  ) WITH (fillfactor = 70)`
  yield* sql`CREATE INDEX conversations_by_tenant ON conversations (tenant, key)`
  yield* sql`CREATE TABLE messages (
    conversation bigint NOT NULL REFERENCES conversations (key),
    seq integer NOT NULL,
    role text NOT NULL,
    content text NOT NULL,
    tokens integer NOT NULL,
    tokens_before bigint NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (conversation, seq)
  )`
  yield* sql`CREATE INDEX messages_by_tokens ON messages (conversation, tokens_before, seq)`
  yield* sql`CREATE TABLE segments (
    conversation bigint NOT NULL REFERENCES conversations (key),
    hash text COLLATE "C" NOT NULL,
    detail text NOT NULL,
    from_seq integer NOT NULL,
    to_seq integer NOT NULL,
    text text NOT NULL,
    tokens integer NOT NULL,
    created_at bigint NOT NULL,
    PRIMARY KEY (conversation, hash)
  )`
  yield* sql`CREATE INDEX segments_by_range ON segments (conversation, from_seq, detail)`
  yield* sql`CREATE TABLE agents (
    conversation bigint NOT NULL REFERENCES conversations (key),
    name text NOT NULL,
    status text NOT NULL,
    last_seq integer NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (conversation, name)
  )`
})
