import { Schema } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { Priority } from "../domain/Caller.ts"
import { Band, Conversation, StoredMessage } from "../domain/Conversation.ts"
import { Content } from "../domain/Message.ts"
import { Access, PromptReaders } from "./ApiAccess.ts"
import { Reduction } from "./ApiSchemas.ts"
import { TurnSse } from "./ApiTurn.ts"
import { Forbidden, storageProblems, turnProblems } from "./Problem.ts"

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

/** What would be sent now, and why: the entries say what each part covers, `compaction` why the layout just changed. */
export const ContextView = Schema.Struct({
  conversation: Schema.String,
  model: Schema.String,
  limit: Schema.Finite,
  estimatedTokens: Schema.Finite,
  upperBound: Schema.Finite,
  percentOfLimit: Schema.Finite,
  rawMessages: Schema.Natural,
  rawTokens: Schema.Finite,
  reduction: Reduction,
  entries: Schema.Array(
    Schema.Struct({
      band: Band,
      from: Schema.Natural,
      to: Schema.Natural,
      tokens: Schema.Finite,
      segment: Schema.Boolean
    })
  ),
  breakpoints: Schema.Array(Schema.Union([Schema.Natural, Schema.String])),
  compaction: Schema.NullOr(Schema.String),
  decision: Schema.Struct({
    compact: Schema.Boolean,
    reason: Schema.String,
    savesNanoUsd: Schema.Int.annotate({ description: "what compacting now is expected to save; negative: it costs" })
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
    }),
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
    HttpApiEndpoint.get("context", "/:id/context", { params, success: ContextView, error: turnProblems }).middleware(
      PromptReaders
    ),
    HttpApiEndpoint.post("send", "/:id/messages", {
      params,
      payload: NewTurn,
      success: HttpApiSchema.StreamSse({ events: TurnSse }),
      error: turnProblems
    }).annotate(
      OpenApi.Description,
      "Stores the message and streams the turn. It fails with a status before the first event, with an `error` event after it."
    )
  )
  .middleware(Access)
  .prefix("/api/conversations")
  .annotate(OpenApi.Title, "Conversations") {}
