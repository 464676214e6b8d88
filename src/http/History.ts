import { Effect } from "effect"
import { ChatRepo, ConversationNotFound } from "../chat/ChatRepo.ts"
import { MessageSearch, type SearchQuery } from "../chat/MessageSearch.ts"
import { StatelessContexts, serverOwner } from "../context/StatelessContexts.ts"

/** Whose conversations are looked for: a gateway token's or a key's; null for whoever may see them all. */
export type Reader =
  | { readonly _tag: "Tenant"; readonly tenant: string | null }
  | { readonly _tag: "Key"; readonly owner: string }

/** Conversations of the gateway, which are kept in memory, are called so. */
const ofGateway = /^gw_[0-9a-f]{24}$/

/** Stored conversations and those of the gateway, each for whom it belongs to. */
export const makeHistory = Effect.gen(function* () {
  const chat = yield* ChatRepo
  const stored = yield* MessageSearch
  const contexts = yield* StatelessContexts

  /** A stored conversation; another tenant's looks like none at all. */
  const visible = Effect.fnUntraced(function* (reader: Reader, id: string) {
    if (reader._tag === "Key") return yield* new ConversationNotFound({ conversation: id })
    const conversation = yield* chat.get(id)
    if (reader.tenant !== null && conversation.tenant !== reader.tenant) {
      return yield* new ConversationNotFound({ conversation: id })
    }
    return conversation
  })

  const inMemory = (reader: Reader) => {
    if (reader._tag === "Key") return { tenant: null, owner: reader.owner }
    return { tenant: reader.tenant, owner: reader.tenant === null ? null : serverOwner }
  }

  const search = Effect.fnUntraced(function* (reader: Reader, id: string, query: SearchQuery) {
    if (ofGateway.test(id)) return yield* contexts.search(id, inMemory(reader), query)
    yield* visible(reader, id)
    return yield* stored.search(id, query)
  })

  return { visible, search }
})
