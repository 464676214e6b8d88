import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Priority } from "../domain/Caller.ts"
import { Band, Conversation, Detail, StoredMessage } from "../domain/Conversation.ts"
import { Content } from "../domain/Message.ts"
import { Access, PromptReaders } from "./ApiAccess.ts"
import { Epoch, Money, PercentOfLimit, Reduction } from "./ApiSchemas.ts"
import { SearchPage, SearchRequest } from "./ApiSearch.ts"
import { TurnSse } from "./ApiTurn.ts"
import { Forbidden, pinProblems, storageProblems, turnProblems } from "./Problem.ts"

const Id = Schema.String.check(Schema.isBetweenLength(1, 200))
const params = { id: Id }
const Name = Schema.NonEmptyString.check(Schema.isMaxLength(200))
const Limit = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))

export const NewConversation = Schema.Struct({
  title: Schema.optionalKey(Schema.String.check(Schema.isMaxLength(500))),
  tenant: Schema.optionalKey(Name),
  model: Schema.optionalKey(Name)
}).annotate({ identifier: "NewConversation" })

export const NewTurn = Schema.Struct({
  content: Content,
  model: Schema.optionalKey(Name),
  agent: Schema.optionalKey(Name),
  priority: Schema.optionalKey(Priority)
}).annotate({ identifier: "NewTurn" })

const ConversationPage = Schema.Struct({
  conversations: Schema.Array(Conversation),
  next: Schema.NullOr(Schema.String).annotate({ description: "`before` of the next page; null at the end" })
})

const MessagePage = Schema.Struct({
  messages: Schema.Array(StoredMessage).annotate({ description: "oldest first" }),
  next: Schema.NullOr(Schema.Natural).annotate({
    description: "`before` of the next older page; null at the beginning"
  })
})

const pins = Schema.Array(Schema.Natural).annotate({ description: "numbers of the pinned messages, in order" })
const Pins = Schema.Struct({ pins }).annotate({ identifier: "Pins" })

const pinned = {
  id: Id,
  seq: Schema.Natural.check(Schema.isLessThanOrEqualTo(2_147_483_646)).annotate({ description: "the message's number" })
}

const from = Schema.Natural.annotate({ description: "number of the first message" })
const to = Schema.Natural.annotate({ description: "number after the last message" })

const LastSummary = Schema.Struct({
  text: Schema.String,
  detail: Detail,
  from,
  to,
  tokens: Schema.Natural,
  createdAt: Epoch.annotate({ description: "when the last of its messages came, in milliseconds since the epoch" })
}).annotate({ identifier: "LastSummary" })

/** What would be sent now, and why: the entries say what each part covers. Looking changes nothing. */
export const ContextView = Schema.Struct({
  conversation: Schema.String,
  title: Schema.NullOr(Schema.String),
  model: Schema.String,
  limit: Schema.Finite.annotate({ description: "MAX_CONTEXT_TOKENS" }),
  estimatedTokens: Schema.Finite.annotate({ description: "tokens of the request, by estimate" }),
  upperBound: Schema.Finite.annotate({ description: "tokens that this is certainly not above" }),
  percentOfLimit: PercentOfLimit,
  rawMessages: Schema.Natural.annotate({ description: "messages of the whole history" }),
  rawTokens: Schema.Finite.annotate({ description: "tokens of the whole history with system and tools" }),
  reduction: Reduction,
  entries: Schema.Array(
    Schema.Struct({
      band: Band,
      from,
      to,
      tokens: Schema.Finite.annotate({ description: "tokens of this entry, by estimate" }),
      segment: Schema.Boolean.annotate({ description: "a summary, instead of a message in full" }),
      text: Schema.NullOr(Schema.String).annotate({ description: "what a segment says; null for a message" })
    })
  ),
  breakpoints: Schema.Array(Schema.Union([Schema.Natural, Schema.String])),
  lastSummary: Schema.NullOr(LastSummary).annotate({
    description: "the newest segment, which stands for the youngest condensed messages; null when nothing is condensed"
  }),
  pins,
  decision: Schema.Struct({
    compact: Schema.Boolean.annotate({ description: "the next request begins with a compaction" }),
    reason: Schema.String,
    saves: Money.annotate({
      description: "what that compaction is expected to save over the rest of the conversation; negative: it costs"
    })
  }),
  request: Schema.Struct({
    system: Schema.Unknown,
    tools: Schema.Unknown,
    cache_control: Schema.Unknown,
    messages: Schema.Array(Schema.Unknown)
  })
}).annotate({ identifier: "ContextView" })

export class ApiConversations extends HttpApiGroup.make("conversations")
  .add(
    HttpApiEndpoint.post("create", "/", {
      payload: NewConversation,
      success: Schema.Struct({ id: Schema.String }).pipe(HttpApiSchema.status(201)),
      error: [...storageProblems, Forbidden]
    }).middleware(PromptReaders),
    HttpApiEndpoint.get("list", "/", {
      query: {
        tenant: Schema.optionalKey(Name),
        before: Schema.optionalKey(Id),
        limit: Schema.optionalKey(Limit)
      },
      success: ConversationPage,
      error: [...storageProblems, Forbidden]
    }),
    HttpApiEndpoint.get("messages", "/:id/messages", {
      params,
      query: { before: Schema.optionalKey(Schema.Natural), limit: Schema.optionalKey(Limit) },
      success: MessagePage,
      error: storageProblems
    }).middleware(PromptReaders),
    HttpApiEndpoint.get("search", "/:id/search", {
      params,
      query: SearchRequest,
      success: SearchPage,
      error: storageProblems
    })
      .middleware(PromptReaders)
      .annotate(
        OpenApi.Description,
        "Finds what was said, also long ago. Every condition narrows; without `q` the first messages from a given start on, otherwise the newest. The gateway's conversations (`gw_…`, named by `x-sluice-conversation`) are searched too, while it remembers them."
      ),
    HttpApiEndpoint.get("context", "/:id/context", { params, success: ContextView, error: storageProblems }).middleware(
      PromptReaders
    ),
    HttpApiEndpoint.put("pin", "/:id/pins/:seq", { params: pinned, success: Pins, error: pinProblems })
      .middleware(PromptReaders)
      .annotate(
        OpenApi.Description,
        "Keeps a message in its own words (up to 2,000 characters) in the context, from the next compaction on; ten at most. Answers what is pinned."
      ),
    HttpApiEndpoint.delete("unpin", "/:id/pins/:seq", { params: pinned, success: Pins, error: storageProblems })
      .middleware(PromptReaders)
      .annotate(OpenApi.Description, "Answers what is still pinned; a message that was not pinned is no error."),
    HttpApiEndpoint.post("send", "/:id/messages", {
      params,
      payload: NewTurn,
      success: HttpApiSchema.StreamSse({ events: TurnSse }),
      error: turnProblems
    })
      .middleware(PromptReaders)
      .annotate(
        OpenApi.Description,
        "Stores the message and streams the turn. It fails with a status before the first event, with an `error` event after it. `priority` is at most what the tenant's token grants, which is also the default."
      )
  )
  .middleware(Access)
  .prefix("/api/conversations")
  .annotate(OpenApi.Title, "Conversations") {}
