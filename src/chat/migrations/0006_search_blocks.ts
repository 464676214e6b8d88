import { Effect } from "effect"
import { SqlClient } from "effect/sql"

/**
 * The index of messages anew, in blocks, filled while messages are appended. `message_words` has the words, tools and
 * agents of a message; `search_blocks` how many messages of a block are in it, and when they were stored. Both can be
 * made again from `messages` at any time. Without `fastupdate`, whose unsorted list every search would have to read.
 */
export default Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  yield* sql`DROP TABLE message_words`
  yield* sql`CREATE TABLE message_words (
    conversation bigint NOT NULL,
    seq integer NOT NULL,
    created_at bigint NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (conversation, seq)
  )`
  yield* sql`CREATE INDEX message_words_by_word ON message_words USING gin (words) WITH (fastupdate = off)`
  yield* sql`CREATE TABLE search_blocks (
    conversation bigint NOT NULL,
    block integer NOT NULL,
    messages integer NOT NULL,
    first_at bigint NOT NULL,
    last_at bigint NOT NULL,
    PRIMARY KEY (conversation, block)
  )`
})
