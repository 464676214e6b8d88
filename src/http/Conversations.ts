import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { claimed } from "../access/Tokens.ts"
import { ChatRepo } from "../chat/ChatRepo.ts"
import { ContextManager, type LastSummary, type PreparedContext } from "../context/ContextManager.ts"
import type { Priority } from "../domain/Caller.ts"
import type { Content } from "../domain/Message.ts"
import { nanoUsd } from "../domain/Money.ts"
import { Orchestrator, type SendOptions } from "../orchestrator/Orchestrator.ts"
import { Settings } from "../Settings.ts"
import { Api } from "./Api.ts"
import { CurrentVisitor, type Visitor } from "./ApiAccess.ts"
import { money, reduction } from "./ApiSchemas.ts"
import { makeHistory, type Reader } from "./History.ts"
import { Forbidden, InvalidRequest } from "./Problem.ts"
import { searchAs } from "./Search.ts"
import { respond } from "./Turn.ts"
import { pinProblem, searchProblem, storageProblem, translate, turnProblem } from "./toProblem.ts"

/** The tenant to act for: a tenant's token fixes it, everyone else may name one. */
const tenantFor = (asked: string | undefined) =>
  Effect.flatMap(CurrentVisitor, ({ tenant }) =>
    tenant === null || asked === undefined || asked === tenant
      ? Effect.succeed(tenant ?? asked)
      : Effect.fail(new Forbidden({ detail: `This token belongs to tenant "${tenant}", not to "${asked}".` }))
  )

const reader = Effect.map(CurrentVisitor, ({ tenant }): Reader => ({ _tag: "Tenant", tenant }))

interface Asked {
  readonly content: Content
  readonly model?: string
  readonly agent?: string
  readonly priority?: Priority
}

/** A turn as this visitor may ask for it: what its token says is the default for who asks, and the limit for how urgently. */
const optionsFor = ({ grant }: Visitor, { agent, model, priority }: Asked): SendOptions => ({
  model,
  agent: agent ?? grant?.agent ?? undefined,
  priority: claimed(priority, grant) ?? (agent === undefined ? "interactive" : "normal")
})

interface Looked {
  readonly conversation: string
  readonly title: string | null
  readonly model: string
  /** MAX_CONTEXT_TOKENS. */
  readonly limit: number
  readonly context: PreparedContext
  readonly lastSummary: LastSummary | undefined
  readonly pins: ReadonlyArray<number>
}

const view = ({ context, conversation, lastSummary, limit, model, pins, title }: Looked) => ({
  conversation,
  title,
  model,
  limit,
  estimatedTokens: context.estimatedTokens,
  upperBound: context.upperBound,
  percentOfLimit: (context.upperBound / limit) * 100,
  rawMessages: context.rawMessages,
  rawTokens: context.rawTokens,
  reduction: reduction(context.rawTokens, context.estimatedTokens),
  entries: context.entries.map(({ text = null, ...entry }) => ({ ...entry, text })),
  breakpoints: context.breakpoints,
  lastSummary: lastSummary ?? null,
  pins,
  decision: {
    compact: context.decision.compact,
    reason: context.decision.reason,
    saves: money(nanoUsd(context.decision.savesNanoUsd))
  },
  request: {
    system: context.system ?? null,
    tools: context.tools ?? null,
    cache_control: context.cacheControl ?? null,
    messages: context.messages
  }
})

const nothingToPin = new InvalidRequest({
  detail: "Context management is off (CONTEXT_ENABLED): every message is sent in full, so there is nothing to pin."
})

const make = Effect.gen(function* () {
  const [settings, chat] = yield* Effect.all([Settings, ChatRepo])
  const [context, orchestrator] = yield* Effect.all([ContextManager, Orchestrator])
  const history = yield* makeHistory

  const visible = (id: string) => Effect.flatMap(reader, (by) => history.visible(by, id))

  const list = Effect.fnUntraced(function* (query: {
    readonly tenant?: string
    readonly before?: string
    readonly limit?: number
  }) {
    const tenant = yield* tenantFor(query.tenant)
    const limit = query.limit ?? 50
    const conversations = yield* translate(storageProblem)(chat.list({ tenant, before: query.before, limit }))
    return { conversations, next: conversations.length < limit ? null : (conversations.at(-1)?.id ?? null) }
  })

  const messages = Effect.fnUntraced(function* (
    id: string,
    query: { readonly before?: number; readonly limit?: number }
  ) {
    yield* visible(id)
    const limit = query.limit ?? settings.defaultChatHistoryLimit
    const page = yield* chat.messages(id, { before: query.before, limit })
    const first = page[0]?.seq ?? 0
    return { messages: page, next: first > 0 ? first : null }
  }, translate(storageProblem))

  const found = (id: string, query: Parameters<typeof searchAs>[1]) =>
    translate(searchProblem)(Effect.flatMap(reader, (by) => searchAs((asked) => history.search(by, id, asked), query)))

  const shown = Effect.fnUntraced(function* (id: string) {
    const conversation = yield* visible(id)
    const model = conversation.model ?? settings.orchestratorModel
    return view({
      conversation: id,
      title: conversation.title,
      model,
      limit: settings.maxContextTokens,
      context: yield* context.preview(id, orchestrator.shell(model)),
      lastSummary: yield* context.lastSummary(id),
      pins: yield* context.pins(id)
    })
  }, translate(storageProblem))

  const pin = Effect.fnUntraced(function* (id: string, seq: number) {
    if (!settings.enabled.context) return yield* Effect.fail(nothingToPin)
    return yield* visible(id).pipe(
      Effect.andThen(context.pin(id, seq)),
      Effect.andThen(context.pins(id)),
      Effect.map((pins) => ({ pins })),
      translate(pinProblem)
    )
  })

  const unpin = Effect.fnUntraced(function* (id: string, seq: number) {
    yield* visible(id)
    yield* context.unpin(id, seq)
    return { pins: yield* context.pins(id) }
  }, translate(storageProblem))

  const create = Effect.fnUntraced(function* (payload: {
    readonly title?: string
    readonly tenant?: string
    readonly model?: string
  }) {
    const tenant = yield* tenantFor(payload.tenant)
    const { id } = yield* translate(storageProblem)(chat.create({ ...payload, tenant }))
    return { id }
  })

  return { settings, visible, list, messages, found, shown, create, pin, unpin, send: orchestrator.send }
})

export const layer = HttpApiBuilder.group(
  Api,
  "conversations",
  Effect.fn(function* (handlers) {
    const { create, found, list, messages, pin, send, shown, unpin, visible } = yield* make
    return handlers.handleAll({
      create: ({ payload }) => create(payload),
      list: ({ query }) => list(query),
      messages: ({ params, query }) => messages(params.id, query),
      search: ({ params, query }) => found(params.id, query),
      context: ({ params }) => shown(params.id),
      pin: ({ params }) => pin(params.id, params.seq),
      unpin: ({ params }) => unpin(params.id, params.seq),
      send: ({ params: { id }, payload }) =>
        Effect.gen(function* () {
          yield* translate(turnProblem)(visible(id))
          return yield* respond(send(id, payload.content, optionsFor(yield* CurrentVisitor, payload)))
        })
    })
  })
)
