import { assert, layer } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Stream } from "effect"
import { layerServices } from "../../src/App.ts"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { ContextManager } from "../../src/context/ContextManager.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { Orchestrator } from "../../src/orchestrator/Orchestrator.ts"
import { Settings } from "../../src/Settings.ts"
import { temporaryDirectory } from "../support/directory.ts"

const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 50,
  messages: [{ role: "user" as const, content: "The same question" }]
}

const words = (seq: number) => `Message ${seq}: ${"the tide came in and went out again ".repeat(40)}`

const history = Array.from({ length: 160 }, (_, seq) => ({
  role: seq % 2 === 0 ? ("user" as const) : ("assistant" as const),
  content: words(seq),
  tokens: 350
}))

/** The same question twice, and a turn at the end of a long conversation; then what every room says of it. */
const observe = Effect.gen(function* () {
  const governor = yield* Governor
  const chat = yield* ChatRepo
  const booked = CostTracker.use((costs) => costs.report({ from: "2000-01-01", to: "2100-01-01" }))
  const before = yield* booked
  yield* governor.run(request, defaultCaller)
  const second = yield* governor.run(request, defaultCaller)
  const { id } = yield* chat.create({})
  yield* chat.append(id, history)
  const orchestrator = yield* Orchestrator
  yield* Stream.runDrain(orchestrator.send(id, "And now?"))
  const prepared = yield* (yield* ContextManager).prepare(id, { model: request.model })
  const after = yield* booked
  const segments = yield* chat.segments(id)
  const limiter = yield* (yield* TokenRateLimiter).stats
  const cache = yield* (yield* ResponseCache).stats
  return {
    answeredFromCache: second.settlement.cache === "hit",
    cacheEntries: cache.entries > 0,
    limited: limiter.used > 0,
    booked: after.total.requests > before.total.requests,
    compacted: prepared.messages.length < prepared.rawMessages,
    // With SUMMARIZATION_ENABLED=false old messages are only named.
    summarized: segments.length > 0 && segments.every(({ text }) => !text.includes("(not summarised)"))
  }
})

const withEnvironment = (environment: Record<string, string>) =>
  Effect.gen(function* () {
    const dataDir = yield* temporaryDirectory
    const config = ConfigProvider.fromEnvRecord({ DATA_DIR: dataDir, MAX_CONTEXT_TOKENS: "20000", ...environment })
    const settings = Settings.layer.pipe(Layer.provide(ConfigProvider.layer(config)))
    return yield* observe.pipe(
      Effect.provide(layerServices.pipe(Layer.provideMerge(Claude.layerSimulated), Layer.provideMerge(settings)))
    )
  })

const everything = {
  answeredFromCache: true,
  cacheEntries: true,
  limited: true,
  booked: true,
  compacted: true,
  summarized: true
}

// One database for all: opening one takes seconds.
layer(Database.layerMemory, { excludeTestServices: true })("switches, with every room in place", (it) => {
  const cases: ReadonlyArray<[Record<string, string>, Partial<typeof everything>]> = [
    [{}, {}],
    [{ RESPONSE_CACHE_ENABLED: "false" }, { answeredFromCache: false, cacheEntries: false }],
    [{ RATE_LIMIT_ENABLED: "false" }, { limited: false }],
    [{ COST_TRACKING_ENABLED: "false" }, { booked: false }],
    [{ CONTEXT_ENABLED: "false" }, { compacted: false, summarized: false }],
    [{ SUMMARIZATION_ENABLED: "false" }, { summarized: false }],
    [
      { TOKEN_MANAGEMENT_ENABLED: "false" },
      { answeredFromCache: false, cacheEntries: false, limited: false, compacted: false, summarized: false }
    ]
  ]
  for (const [environment, off] of cases) {
    const name = Object.keys(environment)[0] ?? "nothing"
    it.effect(`${name} off: exactly its effects are gone`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* withEnvironment(environment), { ...everything, ...off })
      })
    )
  }
})
