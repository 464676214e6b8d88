import { Context, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Settings } from "../Settings.ts"
import { ChatRepo, type ChatRepoError, type ConversationNotFound } from "./ChatRepo.ts"
import { searchIndexed } from "./search/Indexed.ts"
import { scan } from "./search/Scan.ts"
import type { SearchFailed, SearchQuery, SearchResult } from "./search/SearchQuery.ts"

export { searchIn } from "./search/Scan.ts"
export { type Found, SearchFailed, type SearchQuery, type SearchResult } from "./search/SearchQuery.ts"

/** Finds what was said in a conversation, however long ago: nothing that was condensed is lost. */
export class MessageSearch extends Context.Service<
  MessageSearch,
  {
    readonly search: (
      conversation: string,
      query: SearchQuery
    ) => Effect.Effect<SearchResult, SearchFailed | ChatRepoError | ConversationNotFound>
  }
>()("sluice/chat/MessageSearch") {
  /** On the words that the database indexes, soon after they are stored. Cost: of the matches, not of the conversation. */
  static readonly layer: Layer.Layer<MessageSearch, never, ChatRepo | Settings | SqlClient.SqlClient> = Layer.effect(
    MessageSearch,
    Effect.gen(function* () {
      const search = yield* searchIndexed(yield* SqlClient.SqlClient, yield* ChatRepo, yield* agentTools)
      return MessageSearch.of({ search: Effect.fn("MessageSearch.search")(search) })
    })
  )

  /** Reads the whole conversation at every search: for specs, and where there is no SQL. */
  static readonly layerScan: Layer.Layer<MessageSearch, never, ChatRepo | Settings> = Layer.effect(
    MessageSearch,
    Effect.gen(function* () {
      const [repo, tools] = [yield* ChatRepo, yield* agentTools]
      return MessageSearch.of({ search: (id, query) => scan(repo, tools, id, query) })
    })
  )
}

const agentTools = Settings.useSync((settings) => new Set(settings.agentTools))
