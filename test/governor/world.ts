import { Deferred, Effect, Layer, Stream } from "effect"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { type CallOptions, Claude } from "../../src/claude/Claude.ts"
import type { ClaudeError } from "../../src/claude/ClaudeError.ts"
import type { ClaudeService } from "../../src/claude/ClaudeService.ts"
import { BudgetExceeded, type CostSettle, CostTracker } from "../../src/costs/CostTracker.ts"
import { noTotals } from "../../src/costs/Totals.ts"
import { replayEvents } from "../../src/domain/AnswerReplay.ts"
import type { AssistantMessage, MessagesRequest, StreamEvent } from "../../src/domain/MessagesRequest.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { fromApi, type Usage } from "../../src/domain/Usage.ts"
import { Events } from "../../src/events/Events.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { type RateLimitError, type ReserveRequest, TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { ModelRouter } from "../../src/models/ModelRouter.ts"
import { Settings } from "../../src/Settings.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { plainEstimator } from "../support/estimator.ts"

export const model = "claude-sonnet-5-5"

export const request = (text: string, more: Partial<MessagesRequest> = {}): MessagesRequest => ({
  model,
  max_tokens: 1_000,
  messages: [{ role: "user", content: text }],
  ...more
})

let ids = 0
export const answer = (text: string, more: Partial<AssistantMessage> = {}): AssistantMessage => ({
  id: `msg_${++ids}`,
  type: "message",
  role: "assistant",
  model,
  content: [{ type: "text", text }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 100, output_tokens: 20 },
  ...more
})

/** Where a test can hold a request: it waits there until it is let go. */
export interface Steps {
  readonly pause: (step: string) => Effect.Effect<void>
  /** From now on the first request that comes to `step` stops there. */
  readonly hold: (step: string) => { readonly reached: Effect.Effect<void>; readonly release: () => void }
  /** Every step a request came by, in order. */
  readonly log: Array<string>
  /** Steps that die instead. */
  readonly broken: Set<string>
}

const makeSteps = (): Steps => {
  const holds = new Map<string, { reached: Deferred.Deferred<void>; released: Deferred.Deferred<void> }>()
  const log: Array<string> = []
  const broken = new Set<string>()
  return {
    log,
    broken,
    pause: (step) =>
      Effect.suspend(() => {
        log.push(step)
        if (broken.has(step)) return Effect.die(new Error(`${step} is broken`))
        const held = holds.get(step)
        if (held === undefined) return Effect.void
        holds.delete(step)
        Deferred.doneUnsafe(held.reached, Effect.void)
        return Deferred.await(held.released)
      }),
    hold: (step) => {
      const held = { reached: Deferred.makeUnsafe<void>(), released: Deferred.makeUnsafe<void>() }
      holds.set(step, held)
      return {
        reached: Deferred.await(held.reached),
        release: () => {
          holds.delete(step)
          Deferred.doneUnsafe(held.released, Effect.void)
        }
      }
    }
  }
}

export type Reply =
  | AssistantMessage
  | ClaudeError
  | { readonly events: ReadonlyArray<StreamEvent>; readonly cut?: ClaudeError }

/** What upstream was asked and what it would put on its bill. */
export interface Upstream {
  readonly requests: Array<MessagesRequest>
  readonly options: Array<CallOptions | undefined>
  /** By attempt, as upstream reported it (`message_start` counts when a stream broke off). */
  readonly billed: Array<Usage>
  aborted: number
  reply: (request: MessagesRequest, attempt: number) => Reply
}

const isMessage = (reply: Reply): reply is AssistantMessage => "type" in reply && reply.type === "message"
const isScript = (reply: Reply): reply is Extract<Reply, { readonly events: unknown }> => "events" in reply

const answered = (options: CallOptions | undefined, status: number, headers: Readonly<Record<string, string>>) =>
  options?.onAttempt?.({ _tag: "Answered", attempt: 1, status, headers }) ?? Effect.void

const fakeClaude = (steps: Steps, upstream: Upstream) => {
  const receive = Effect.fnUntraced(function* (asked: MessagesRequest, options: CallOptions | undefined) {
    upstream.options.push(options)
    const reply = upstream.reply(asked, upstream.requests.push(asked) - 1)
    if (!isMessage(reply) && !isScript(reply)) {
      if ("headers" in reply.reason) yield* answered(options, reply.reason.status, reply.reason.headers)
      return yield* Effect.fail(reply)
    }
    yield* answered(options, 200, { "request-id": "req" })
    return reply
  })

  const send: ClaudeService["send"] = (asked, options) =>
    Effect.gen(function* () {
      yield* steps.pause("claude.sending")
      const reply = yield* receive(asked, options)
      if (isScript(reply)) return yield* Effect.die("a script is for streams")
      upstream.billed.push(fromApi(reply.usage))
      yield* steps.pause("claude.answering")
      return { message: reply, status: 200, headers: { "request-id": reply.id } }
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => upstream.aborted++)))

  const stream: ClaudeService["stream"] = Effect.fnUntraced(function* (asked, options) {
    yield* steps.pause("claude.opening")
    const reply = yield* receive(asked, options)
    const events = isScript(reply) ? reply.events : replayEvents(reply)
    const broken = isScript(reply) ? reply.cut : undefined
    let ended = false
    yield* Effect.addFinalizer(() => Effect.sync(() => (ended ? undefined : upstream.aborted++)))
    const each = (event: StreamEvent) =>
      Effect.map(steps.pause(`claude.${event.type}`), () => {
        const { message } = event
        // The fake's own message_start carries a whole message.
        if (event.type === "message_start") upstream.billed.push(fromApi((message as AssistantMessage).usage))
        if (event.type === "message_stop" && isMessage(reply))
          upstream.billed[upstream.billed.length - 1] = fromApi(reply.usage)
        return event
      })
    const played = Stream.rechunk(Stream.mapEffect(Stream.fromIterable(events), each), 1)
    const tail = broken ? Stream.fail(broken) : Stream.fromEffectDrain(Effect.sync(() => (ended = true)))
    return { status: 200, headers: { "request-id": "req" }, events: Stream.concat(played, tail) }
  })

  return Layer.mock(Claude, { send, stream, kind: "fake" })
}

/** The books as a test reads them. Booking an id twice, or one that was not open, is remembered as a `mistake`. */
export interface Books {
  readonly open: Set<string>
  readonly settled: Array<CostSettle>
  readonly saved: Array<CostSettle>
  readonly released: Array<string>
  readonly mistakes: Array<string>
  budget: number
}

const fakeCosts = (steps: Steps, books: Books, catalog: ModelCatalog["Service"]) => {
  const ids = new Set<string>()
  const price = (entry: CostSettle) => catalog.price(catalog.get(entry.model), entry.usage, entry)
  const close = (id: string) => {
    if (!books.open.delete(id)) books.mistakes.push(id)
  }
  return Layer.mock(CostTracker, {
    reserve: ({ estimate, requestId }) =>
      Effect.suspend(() => {
        if (estimate > books.budget) {
          return Effect.fail(
            new BudgetExceeded({
              budget: "day",
              limit: nanoUsd(books.budget),
              spent: nanoUsd(0),
              resetsAt: 0,
              message: "over"
            })
          )
        }
        if (ids.has(requestId)) books.mistakes.push(requestId)
        ids.add(requestId)
        books.open.add(requestId)
        return steps.pause("costs.reserve")
      }),
    settle: (entry) =>
      Effect.gen(function* () {
        yield* steps.pause("costs.settle")
        close(entry.requestId)
        books.settled.push(entry)
        return price(entry)
      }),
    release: (id) =>
      Effect.andThen(
        steps.pause("costs.release"),
        Effect.sync(() => {
          books.open.delete(id)
          books.released.push(id)
        })
      ),
    state: Effect.succeed({
      enabled: true,
      day: "2026-11-23",
      today: noTotals,
      total: noTotals,
      reservedNanoUsd: nanoUsd(0),
      thresholdNanoUsd: nanoUsd(10e9),
      thresholdPercent: 0,
      dailyBudgetNanoUsd: null,
      sharedBudget: false,
      paused: false,
      resetsAt: 0,
      unwritten: 0
    }),
    saved: (entry) =>
      Effect.map(steps.pause("costs.saved"), () => {
        books.saved.push(entry)
        return price(entry)
      })
  })
}

export interface Limits {
  readonly open: Set<number>
  readonly reserved: Array<ReserveRequest>
  readonly settled: Array<Usage>
  readonly observed: Array<number>
  refuse: RateLimitError | undefined
}

const fakeLimiter = (steps: Steps, limits: Limits) => {
  let last = 0
  return Layer.mock(TokenRateLimiter, {
    reserve: (wanted) =>
      Effect.gen(function* () {
        limits.reserved.push(wanted)
        yield* steps.pause("limiter.reserve")
        if (limits.refuse !== undefined) return yield* limits.refuse
        const reservation = { id: ++last, model: wanted.model, waitedMillis: 7 }
        yield* Effect.acquireRelease(
          Effect.sync(() => limits.open.add(reservation.id)),
          () => Effect.sync(() => limits.open.delete(reservation.id))
        )
        return reservation
      }),
    settle: (_reservation, usage) =>
      Effect.map(steps.pause("limiter.settle"), () => {
        limits.settled.push(usage)
      }),
    observe: (_model, status) =>
      Effect.map(steps.pause("limiter.observe"), () => {
        limits.observed.push(status)
      })
  })
}

/** The real cache with a step before each of its effects. */
const steppedCache = (steps: Steps) =>
  Layer.effect(
    ResponseCache,
    Effect.map(ResponseCache, (cache) =>
      ResponseCache.of({
        ...cache,
        key: (...asked) => {
          if (steps.broken.has("cache.key")) throw new Error("cache.key is broken")
          return cache.key(...asked)
        },
        lookup: (key) => Effect.andThen(steps.pause("cache.lookup"), cache.lookup(key)),
        store: (key, message) => Effect.andThen(steps.pause("cache.store"), cache.store(key, message)),
        coalesce: (key, lead, options) =>
          Effect.andThen(steps.pause("cache.coalesce"), cache.coalesce(key, lead, options)),
        coalesceStream: (key, open, options) =>
          Effect.andThen(steps.pause("cache.coalesce"), cache.coalesceStream(key, open, options))
      })
    )
  )

const steppedEstimator = (steps: Steps) =>
  Layer.sync(TokenEstimator, () => {
    const estimator = plainEstimator()
    return TokenEstimator.of({
      ...estimator,
      estimate: (asked) => {
        if (steps.broken.has("estimator.estimate")) throw new Error("estimator.estimate is broken")
        return estimator.estimate(asked)
      },
      observe: () => steps.pause("estimator.observe")
    })
  })

const steppedEvents = (steps: Steps) =>
  Layer.effect(
    Events,
    Effect.map(Events, (events) =>
      Events.of({ ...events, publish: (event) => Effect.andThen(steps.pause("events.publish"), events.publish(event)) })
    )
  )

export type Overrides = Parameters<typeof Settings.layerWith>[0]

/** A governor between fakes that remember everything; time stands still unless the test moves it. */
export const makeWorld = (overrides: Overrides = {}) => {
  const steps = makeSteps()
  const upstream: Upstream = { requests: [], options: [], billed: [], aborted: 0, reply: () => answer("hello") }
  const books: Books = {
    open: new Set(),
    settled: [],
    saved: [],
    released: [],
    mistakes: [],
    budget: Number.MAX_SAFE_INTEGER
  }
  const limits: Limits = { open: new Set(), reserved: [], settled: [], observed: [], refuse: undefined }
  const settings = Settings.layerWith(overrides)
  const events = Layer.provideMerge(steppedEvents(steps), Layer.fresh(Events.layerTest))
  const rooms = Layer.mergeAll(
    fakeClaude(steps, upstream),
    Layer.unwrap(Effect.map(ModelCatalog, (catalog) => fakeCosts(steps, books, catalog))),
    fakeLimiter(steps, limits),
    steppedCache(steps).pipe(Layer.provide(ResponseCache.layerMemory({ ttlMillis: 60_000, maxBytes: 1e6 }))),
    steppedEstimator(steps),
    ModelRouter.layer
  ).pipe(Layer.provideMerge(ModelCatalog.layerDefault), Layer.provideMerge(Layer.merge(settings, events)))
  return { steps, upstream, books, limits, layer: Layer.provideMerge(Governor.layer, rooms) }
}

export type World = ReturnType<typeof makeWorld>

/** Nothing is held, nothing was booked twice, and every attempt that upstream billed is in the books once. */
export const balance = ({ books, limits, upstream }: World) => ({
  openDollars: books.open.size,
  openTokens: limits.open.size,
  mistakes: books.mistakes.length,
  unbooked: upstream.billed.length - books.settled.length
})

export const balanced = { openDollars: 0, openTokens: 0, mistakes: 0, unbooked: 0 }

/** Events published so far, without their numbers. */
export const published = Effect.gen(function* () {
  const events = yield* Events
  return (yield* events.recent).map(({ event }) => event)
})
