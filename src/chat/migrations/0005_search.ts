import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/** Words of messages, for finding what is no longer in the context. Filled when a conversation is first searched. */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`CREATE TABLE message_words (
    conversation bigint NOT NULL REFERENCES conversations (key),
    seq integer NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (conversation, seq)
  )`
  yield* sql`CREATE INDEX message_words_by_word ON message_words USING gin (words)`
})
