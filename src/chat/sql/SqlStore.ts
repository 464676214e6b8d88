import { Effect } from "effect"
import { SqlClient, SqlError } from "effect/sql"
import type { HistoryBound } from "../ChatInput.ts"
import { ChatRepoError } from "../ChatRepoError.ts"
import type { ChatStore } from "../ChatStore.ts"
import { reasonOf } from "../SqlReason.ts"
import * as Conversations from "./Conversations.ts"
import * as Derived from "./Derived.ts"
import * as Messages from "./Messages.ts"

const unavailable = (operation: string) => (error: SqlError.SqlError) =>
  new ChatRepoError({ operation, reason: reasonOf(error), retryable: error.reason.isRetryable })

/** Whether an append was stored when the connection ended under it is unknown: trying again could store it twice. */
const appendFailed = (error: SqlError.SqlError) =>
  error.reason._tag === "ConnectionError" && error.reason.operation !== "connect"
    ? new ChatRepoError({
        operation: "append messages",
        reason: `${reasonOf(error)}; read the newest message to learn whether they were stored`,
        retryable: false
      })
    : unavailable("append messages")(error)

const translate =
  (toError: (error: SqlError.SqlError) => ChatRepoError) =>
  <A, E>(effect: Effect.Effect<A, E | SqlError.SqlError>) =>
    effect.pipe(
      // A connection lost inside a transaction arrives as a defect.
      Effect.catchDefect((defect) => (SqlError.isSqlError(defect) ? Effect.fail(defect) : Effect.die(defect))),
      Effect.mapError((error) => (SqlError.isSqlError(error) ? toError(error) : error))
    )

const failing = (operation: string) => translate(unavailable(operation))

const readHistory = (sql: SqlClient.SqlClient) =>
  Effect.fnUntraced(function* (id: string, bound: HistoryBound) {
    const messages = yield* Messages.read(id, Messages.history(sql, id, bound))
    return { messages, segments: yield* Derived.segments(sql, id, { before: messages[0]?.seq }) }
  })

/** On the database that `SqlClient` is, with the tables of `migrations/`. */
export const make: Effect.Effect<ChatStore, never, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const history = readHistory(sql)
  return {
    create: (conversation) => failing("create a conversation")(Conversations.create(sql, conversation)),
    get: (id) => failing("read a conversation")(Conversations.get(sql, id)),
    list: (page) => failing("list conversations")(Conversations.list(sql, page)),
    append: (id, messages) => translate(appendFailed)(Messages.append(sql, id, messages)),
    messages: (id, page) => failing("read messages")(Messages.read(id, Messages.page(sql, id, page))),
    history: (id, bound) => failing("read the history")(history(id, bound)),
    segments: (id, hashes) => failing("read segments")(Derived.segments(sql, id, { hashes })),
    saveSegments: (id, segments) => failing("save segments")(Derived.saveSegments(sql, id, segments)),
    agents: (id) => failing("read agents")(Derived.agents(sql, id)),
    saveAgents: (id, agents) => failing("save agents")(Derived.saveAgents(sql, id, agents)),
    layout: (id) => failing("read the layout")(Conversations.layout(sql, id)),
    saveLayout: (id, layout) => failing("save the layout")(Conversations.saveLayout(sql, id, layout))
  }
})
