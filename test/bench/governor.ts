/**
 * What a governed request costs, everything on, upstream faked without latency: `npm run bench:governor`.
 * Wall-clock microseconds by request, and processor time of this thread.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Console, Effect, Layer, Stream } from "effect"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { Database } from "../../src/chat/Database.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { Ledger } from "../../src/costs/Ledger.ts"
import { replayEvents } from "../../src/domain/AnswerReplay.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import type { Message } from "../../src/domain/Message.ts"
import type { AssistantMessage, MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { Events } from "../../src/events/Events.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { ModelRouter } from "../../src/models/ModelRouter.ts"
import { Settings } from "../../src/Settings.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"

const model = "claude-sonnet-5-5"
const answer: AssistantMessage = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model,
  content: [{ type: "text", text: "an answer of two kilobytes ".repeat(75) }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 10, cache_creation_input_tokens: 400, cache_read_input_tokens: 9_600, output_tokens: 450 }
}

/** As upstream streams it: 50 deltas. */
const deltas = Array.from({ length: 50 }, (_, n) => ({
  type: "content_block_delta",
  index: 0,
  delta: { type: "text_delta", text: `a delta of forty characters number ${n}` }
}))
const [start, opened, , ...rest] = replayEvents(answer)
const events = [start, opened, ...deltas, ...rest].flatMap((event) => (event === undefined ? [] : [event]))

const claude = Layer.mock(Claude, {
  kind: "fake",
  send: () => Effect.succeed({ message: answer, status: 200, headers: {} }),
  stream: () => Effect.succeed({ status: 200, headers: {}, events: Stream.rechunk(Stream.fromIterable(events), 1) })
})

const settings = Settings.layerWith({
  rateLimitTokensPerMinute: 1e12,
  maxConcurrentRequests: 1_000,
  costAlertThresholdUsd: 1e6
})

const governor = (ledger: Layer.Layer<Ledger, unknown>) =>
  Governor.layer.pipe(
    Layer.provide([
      claude,
      ModelRouter.layer,
      ResponseCache.layer,
      TokenRateLimiter.layer,
      CostTracker.layerNoDeps.pipe(Layer.provide(ledger)),
      TokenEstimator.layerMemory
    ]),
    Layer.provide([ModelCatalog.layerDefault, Events.layer]),
    Layer.provide(settings)
  )

const paragraph = "Some forty kilobytes of conversation in thirty messages, as an orchestrator sends them. ".repeat(15)
const history: ReadonlyArray<Message> = Array.from({ length: 29 }, (_, n) => ({
  role: n % 2 === 0 ? "user" : "assistant",
  content: [{ type: "text", text: `${n} ${paragraph}` }]
}))

let count = 0
/** The next request of a conversation: 29 messages known from before, one new. */
const fresh = (): MessagesRequest => ({
  model,
  max_tokens: 1_000,
  messages: [...history, { role: "user", content: `question ${count++}` }]
})
const known = fresh()

const caller = { ...defaultCaller, conversation: "c" }

const cases = {
  "whole answer": Effect.suspend(() => Governor.use(({ run }) => run(fresh(), caller))),
  "whole answer, from the cache": Governor.use(({ run }) => run(known, caller)),
  "stream of 56 events": Effect.suspend(() =>
    Effect.scoped(
      Effect.gen(function* () {
        const { stream } = yield* Governor
        const governed = yield* stream(fresh(), caller)
        yield* Stream.runDrain(governed.events)
      })
    )
  ),
  "stream of 56 events, cache off": Effect.suspend(() =>
    Effect.scoped(
      Effect.gen(function* () {
        const { stream } = yield* Governor
        const governed = yield* stream(fresh(), caller, { cache: "off" })
        yield* Stream.runDrain(governed.events)
      })
    )
  )
}

const quantile = (values: ReadonlyArray<number>, q: number): string =>
  ((values.toSorted((a, b) => a - b)[Math.floor(values.length * q)] ?? 0) * 1_000).toFixed(0)

const cpu = (): number => {
  const { system, user } = process.threadCpuUsage()
  return user + system
}

const measure = Effect.fnUntraced(function* (ledger: string, times: number) {
  for (const [name, request] of Object.entries(cases)) {
    const timed = Effect.suspend(() => {
      const begun = performance.now()
      return Effect.map(request, () => performance.now() - begun)
    })
    const repeat = Effect.forEach(Array(times), () => timed)
    yield* repeat
    const before = cpu()
    const millis = yield* repeat
    const spent = (cpu() - before) / times
    yield* Console.log(
      `${ledger}, ${name}: p50 ${quantile(millis, 0.5)} µs, p99 ${quantile(millis, 0.99)} µs, processor ${spent.toFixed(0)} µs`
    )
  }
})

const directory = mkdtempSync(join(tmpdir(), "sluice-governor-"))
const embedded = Ledger.layerSql.pipe(Layer.provide(Database.layerEmbedded(join(directory, "database"))))
/** As it ships: requests wait for the journal, not for the database. */
const journaled = Ledger.layerJournaled(join(directory, "ledger")).pipe(Layer.provide(embedded))

await Effect.runPromise(
  Effect.andThen(
    measure("ledger in memory", 10_000).pipe(Effect.provide(governor(Ledger.layerMemory))),
    measure("ledger with its journal, embedded database", 1_000).pipe(Effect.provide(governor(journaled)))
  )
)
rmSync(directory, { recursive: true, force: true })
