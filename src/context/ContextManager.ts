import { Context, Effect, Layer, Semaphore } from "effect"
import { LRUCache } from "lru-cache"
import { ChatRepo, type ChatRepoError, type ConversationNotFound } from "../chat/ChatRepo.ts"
import type { StoredMessage } from "../domain/Conversation.ts"
import { Event } from "../domain/Event.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import { Events } from "../events/Events.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { Settings } from "../Settings.ts"
import { TokenEstimator } from "../tokens/TokenEstimator.ts"
import { decide } from "./CompactionPolicy.ts"
import { ConversationContext } from "./ConversationContext.ts"
import * as Layout from "./Layout.ts"
import { requestOf } from "./Prepared.ts"
import { ContextTooLarge, type PreparedContext, type Shell } from "./PreparedContext.ts"
import * as Standing from "./Standing.ts"
import { Summarizer } from "./Summarizer.ts"
import { trimToLimit } from "./trimToLimit.ts"

export { type ContextEntry, ContextTooLarge, type PreparedContext, type Shell } from "./PreparedContext.ts"

export interface ContextStats {
  readonly conversation: string
  readonly rawMessages: number
  readonly rawTokens: number
  readonly tokens: number
  readonly upperBound: number
  readonly percentOfLimit: number
  /** Share of the raw tokens that is not sent, 0 to 1. */
  readonly reduction: number
  readonly segments: number
  readonly compactions: number
}

/** Keeps a conversation's context small, stable and legal. Guarantees: docs/architecture.md, invariants 2 to 4. */
export class ContextManager extends Context.Service<
  ContextManager,
  {
    readonly prepare: (
      conversation: string,
      shell: Shell
    ) => Effect.Effect<PreparedContext, ContextTooLarge | ConversationNotFound | ChatRepoError>
    /** Tells the manager what was just stored, so that the next `prepare` need not read it again. */
    readonly appended: (conversation: string, messages: ReadonlyArray<StoredMessage>) => Effect.Effect<void>
    /**
     * Makes the next `prepare` leave out all thinking up to now, for a history that upstream refused. Answers whether
     * that changes anything: if not, trying again will not help.
     */
    readonly repair: (conversation: string) => Effect.Effect<boolean, ConversationNotFound | ChatRepoError>
    /** Keeps a message in its own words (up to 2,000 characters) in every context from the next compaction on. */
    readonly pin: (conversation: string, seq: number) => Effect.Effect<void, ConversationNotFound | ChatRepoError>
    readonly unpin: (conversation: string, seq: number) => Effect.Effect<void, ConversationNotFound | ChatRepoError>
    readonly stats: (conversation: string) => Effect.Effect<ContextStats, ConversationNotFound | ChatRepoError>
    /** The newest turns of a stateless request that fit `maxTokens`, cut only where a turn starts. */
    readonly trimToLimit: (
      request: MessagesRequest,
      maxTokens: number
    ) => Effect.Effect<MessagesRequest, ContextTooLarge>
  }
>()("sluice/context/ContextManager") {
  static readonly layer: Layer.Layer<
    ContextManager,
    never,
    ChatRepo | TokenEstimator | Summarizer | ModelCatalog | Settings | Events
  > = Layer.effect(
    ContextManager,
    Effect.suspend(() => makeManaged)
  )

  /** CONTEXT_ENABLED=false: the whole history, as it is stored, without breakpoints of our own. */
  static readonly layerOff: Layer.Layer<ContextManager, never, ChatRepo | TokenEstimator | Settings> = Layer.effect(
    ContextManager,
    Effect.suspend(() => makeUntouched)
  )
}

interface Held {
  readonly context: ConversationContext
  readonly lock: Semaphore.Semaphore
  /** The layout that is in the database; another one in `context` still has to go there. */
  saved: Layout.Layout
  warned: boolean
}

/** Conversations held in memory; the others are read again when they are asked for (O(context), not O(history)). */
const heldConversations = 1_000
const pageSize = 1_000

const readFrom = Effect.fnUntraced(function* (
  repo: ChatRepo["Service"],
  id: string,
  first: number,
  take: (page: ReadonlyArray<StoredMessage>) => void
) {
  let after = first - 1
  while (true) {
    const page = yield* repo.messages(id, { after, limit: pageSize })
    take(page)
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return
    after = last.seq
  }
})

const trimmer =
  (estimator: TokenEstimator["Service"]) =>
  (request: MessagesRequest, maxTokens: number): Effect.Effect<MessagesRequest, ContextTooLarge> =>
    Effect.suspend(() => {
      const trimmed = trimToLimit(request, maxTokens, estimator)
      if (trimmed !== undefined) return Effect.succeed(trimmed)
      const tokens = estimator.estimate(request).upperBound
      const seq = request.messages.length - 1
      return Effect.fail(new ContextTooLarge({ conversation: "request", seq, tokens, limit: maxTokens }))
    })

const statsOf = (
  conversation: string,
  prepared: PreparedContext,
  limit: number,
  compactions: number
): ContextStats => ({
  conversation,
  rawMessages: prepared.rawMessages,
  rawTokens: prepared.rawTokens,
  tokens: prepared.estimatedTokens,
  upperBound: prepared.upperBound,
  percentOfLimit: (100 * prepared.upperBound) / limit,
  reduction: prepared.rawTokens === 0 ? 0 : Math.max(0, 1 - prepared.estimatedTokens / prepared.rawTokens),
  segments: prepared.entries.filter((entry) => entry.segment).length,
  compactions
})

const makeManaged = Effect.gen(function* () {
  const repo = yield* ChatRepo
  const estimator = yield* TokenEstimator
  const summarizer = yield* Summarizer
  const catalog = yield* ModelCatalog
  const settings = yield* Settings
  const events = yield* Events
  const held = new LRUCache<string, Held>({ max: heldConversations })
  const bare: Shell = { model: settings.orchestratorModel }

  const options = (conversation: string) => ({
    conversation,
    estimator,
    summarizer,
    catalog,
    objective: settings.compactionObjective,
    policy: decide,
    maxTokens: settings.maxContextTokens,
    maxMessages: settings.maxContextMessages,
    recentMessages: settings.recentMessagesFull,
    midMessages: settings.midRangeMessages,
    agentTools: new Set(settings.agentTools),
    segmentMessages: settings.summarizationThresholdMessages,
    summaryWords: settings.summaryLengthWords
  })

  const find = Effect.fnUntraced(function* (id: string) {
    const known = held.get(id)
    if (known !== undefined) return known
    const stored = yield* repo.layout(id)
    const layout = stored === null ? undefined : Layout.decode(stored, yield* repo.segments(id))
    if (stored !== null && layout === undefined) {
      yield* Effect.logWarning(
        `The context layout of conversation ${id} is unreadable: it is made anew from the messages.`
      )
    }
    const context = new ConversationContext(options(id), layout)
    const fresh: Held = {
      context,
      saved: context.layout,
      lock: Semaphore.makeUnsafe(1),
      warned: false
    }
    const raced = held.get(id)
    if (raced !== undefined) return raced
    held.set(id, fresh)
    return fresh
  })

  const catchUp = ({ context }: Held, id: string, model: string) =>
    readFrom(repo, id, context.next, (page) => context.append(page, model))

  const save = Effect.fnUntraced(
    function* (id: string, state: Held) {
      const { layout } = state.context
      if (layout === state.saved) return
      const known = new Set(state.saved.segments.map((segment) => segment.hash))
      yield* repo.saveSegments(
        id,
        layout.segments.filter((segment) => !known.has(segment.hash))
      )
      yield* repo.saveLayout(id, Layout.encode(layout))
      state.saved = layout
    },
    Effect.catch((error) =>
      Effect.logWarning(`The compaction is not saved yet, the next request tries again: ${error.message}`)
    )
  )

  const announce = (id: string, prepared: PreparedContext, tokensBefore: number) =>
    events.publish(
      Event.cases.Compaction.make({
        conversation: id,
        reason: prepared.compaction ?? "",
        tokensBefore,
        tokensAfter: prepared.estimatedTokens,
        segments: prepared.entries.filter((entry) => entry.segment).length
      })
    )

  const warnOfShell = (state: Held, id: string, prepared: PreparedContext, shell: Shell) => {
    const own = estimator.estimate(requestOf(shell, [])).tokens
    if (state.warned || own * 2 < settings.maxContextTokens) return Effect.void
    state.warned = true
    const message = `System prompt and tools take ${own} of ${settings.maxContextTokens} tokens in conversation ${id}: shorten them or raise MAX_CONTEXT_TOKENS.`
    return events.publish(
      Event.cases.AlertRaised.make({
        alert: { kind: "context_overhead", severity: "warning", message, subject: `${id} (${prepared.upperBound})` }
      })
    )
  }

  const prepare = Effect.fn("ContextManager.prepare")(function* (id: string, shell: Shell) {
    const state = yield* find(id)
    return yield* state.lock.withPermits(1)(
      Effect.gen(function* () {
        yield* catchUp(state, id, shell.model)
        const prepared = yield* state.context.prepare(shell)
        yield* save(id, state)
        if (prepared.compaction !== undefined) yield* announce(id, prepared, state.context.lastTokens)
        yield* warnOfShell(state, id, prepared, shell)
        return prepared
      })
    )
  })

  const appended = Effect.fnUntraced(function* (id: string, messages: ReadonlyArray<StoredMessage>) {
    const state = held.get(id)
    if (state === undefined) return
    yield* state.lock.withPermits(1)(Effect.sync(() => state.context.append(messages, bare.model)))
  })

  /** Pins are part of the layout, but take effect with the next compaction: until then the prefix stays as it is. */
  const change = Effect.fnUntraced(function* (id: string, edit: (standing: Standing.Standing) => Standing.Standing) {
    const state = yield* find(id)
    yield* state.lock.withPermits(1)(
      Effect.andThen(
        Effect.sync(() => state.context.restate(edit)),
        save(id, state)
      )
    )
  })

  const pin = Effect.fn("ContextManager.pin")(function* (id: string, seq: number) {
    const [message] = yield* repo.messages(id, { after: seq - 1, before: seq + 1, limit: 1 })
    if (message !== undefined) yield* change(id, (standing) => Standing.pin(standing, message))
  })

  const unpin = Effect.fn("ContextManager.unpin")((id: string, seq: number) =>
    change(id, (standing) => Standing.unpin(standing, seq))
  )

  const repair = Effect.fn("ContextManager.repair")(function* (id: string) {
    const state = yield* find(id)
    return yield* state.lock.withPermits(1)(Effect.sync(() => state.context.withoutThinking()))
  })

  const stats = Effect.fn("ContextManager.stats")(function* (id: string) {
    const state = yield* find(id)
    return yield* state.lock.withPermits(1)(
      Effect.gen(function* () {
        yield* catchUp(state, id, bare.model)
        const { compactions } = state.context.layout
        return statsOf(id, state.context.preview(bare), settings.maxContextTokens, compactions)
      })
    )
  })

  return ContextManager.of({ prepare, appended, pin, unpin, repair, stats, trimToLimit: trimmer(estimator) })
})

const makeUntouched = Effect.gen(function* () {
  const repo = yield* ChatRepo
  const estimator = yield* TokenEstimator
  const settings = yield* Settings

  const prepare = Effect.fn("ContextManager.prepare")(function* (id: string, shell: Shell) {
    const stored: Array<StoredMessage> = []
    yield* readFrom(repo, id, 0, (page) => stored.push(...page))
    const messages = stored.map(({ content, role }) => ({ role, content }))
    const { tokens, upperBound } = estimator.estimate(requestOf(shell, messages))
    const prepared: PreparedContext = {
      messages,
      system: shell.system,
      tools: shell.tools,
      entries: stored.map((m) => ({ band: "recent", from: m.seq, to: m.seq + 1, tokens: m.tokens, segment: false })),
      estimatedTokens: tokens,
      upperBound,
      rawMessages: stored.length,
      rawTokens: tokens,
      cacheControl: undefined,
      longLived: false,
      breakpoints: [],
      compaction: undefined,
      decision: { compact: false, reason: "context management is off", savesNanoUsd: 0 }
    }
    return prepared
  })

  return ContextManager.of({
    prepare,
    appended: () => Effect.void,
    repair: () => Effect.succeed(false),
    pin: () => Effect.void,
    unpin: () => Effect.void,
    stats: (id) =>
      Effect.map(prepare(id, { model: settings.orchestratorModel }), (prepared) =>
        statsOf(id, prepared, settings.maxContextTokens, 0)
      ),
    trimToLimit: trimmer(estimator)
  })
})
