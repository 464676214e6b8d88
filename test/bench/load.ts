/**
 * The soak: 500 messages a minute against the simulator over HTTP, which enforces 400,000 input tokens a minute, through
 * every service of the house (embedded database, cache, limiter, ledger, alerts, retry). Half of the messages are streamed;
 * all share a cached system prompt, so that cache reads, which upstream does not count, are there too.
 *
 *     npm run bench:load                   60 seconds
 *     npm run bench:load -- --seconds 600  ten minutes
 *
 * What it shows is counted by upstream: the 429s it answered, and the tokens on its bill.
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Clock, Console, Effect, Fiber, Layer, Option, Redacted, References, Schema, Stream } from "effect"
import { layerServices } from "../../src/App.ts"
import { Database } from "../../src/chat/Database.ts"
import { Claude } from "../../src/claude/Claude.ts"
import type { ClaudeError } from "../../src/claude/ClaudeError.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import type { Caller } from "../../src/domain/Caller.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { limitedInput, Usage } from "../../src/domain/Usage.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { Settings } from "../../src/Settings.ts"

const { values: flags } = parseArgs({ options: { seconds: { type: "string", default: "60" } } })
const seconds = Number(flags.seconds)
const limit = 400_000
const perMinute = 500
const minute = 60_000

/** `sluice simulate` in a process of its own, so that memory and processor time measured here are Sluice's. */
const simulator = Effect.acquireRelease(
  Effect.promise(
    () =>
      new Promise<{ readonly url: string; readonly stop: () => void }>((resolve) => {
        const main = new URL("../../src/main.ts", import.meta.url).pathname
        const limits = ["--input-tokens-per-minute", String(limit), "--latency", "150"]
        const child = spawn(process.execPath, [main, "simulate", "--port", "0", ...limits])
        child.stdout.on("data", (text: Buffer) => {
          const [url] = /http:\/\/[\d.]+:\d+/.exec(text.toString()) ?? []
          if (url !== undefined) resolve({ url, stop: () => child.kill() })
        })
        child.stderr.pipe(process.stderr)
      })
  ),
  ({ stop }) => Effect.sync(stop)
)

const BillBody = Schema.Struct({ entries: Schema.Array(Schema.Struct({ at: Schema.Natural, usage: Usage })) })

const billOf = (url: string) =>
  Effect.promise(() => fetch(`${url}/simulator/bill`).then((response) => response.json())).pipe(
    Effect.flatMap(Schema.decodeUnknownEffect(BillBody)),
    Effect.map(({ entries }) => entries.map(({ at, usage }) => ({ at, usage, counted: limitedInput(usage) })))
  )

const refusals = { rate: 0, other: 0 }
const counted = <A, R>(call: Effect.Effect<A, ClaudeError, R>): Effect.Effect<A, ClaudeError, R> =>
  Effect.tapError(call, ({ reason }) =>
    Effect.sync(() => {
      refusals[reason._tag === "RateLimited" ? "rate" : "other"]++
    })
  )

/** Between the retries and the wire: sees every attempt. */
const counting = Layer.effect(
  Claude,
  Effect.map(Claude, (inner) => ({
    ...inner,
    send: (request, options) => counted(inner.send(request, options)),
    stream: (request, options) => counted(inner.stream(request, options))
  }))
)

const house = (url: string, dataDir: string) => {
  const upstream = Claude.layerRetrying.pipe(Layer.provide(counting), Layer.provide(Claude.layer))
  const settings = Settings.layerWith({
    anthropicApiKey: Option.some(Redacted.make("load-test")),
    anthropicBaseUrl: url,
    dataDir,
    rateLimitTokensPerMinute: limit,
    costAlertThresholdUsd: 1e6
  })
  return layerServices.pipe(Layer.provideMerge(Layer.merge(upstream, Database.layer)), Layer.provideMerge(settings))
}

const system = [
  { type: "text", text: "Be brief, be exact, be kind. ".repeat(300), cache_control: { type: "ephemeral" } }
] as const
const words = "the flow of tokens between an orchestrator and its model is measured, paced and paid for once ".split(
  " "
)

/** About 870 tokens on average, from 150 to 1,600: a little more than 400,000 a minute, so that the queue is never empty. */
const request = (n: number): MessagesRequest => ({
  model: "claude-sonnet-5-5",
  max_tokens: 256,
  system,
  messages: [
    {
      role: "user",
      content: Array.from({ length: 80 + ((n * 7_919) % 800) }, (_, word) =>
        word === 0 ? `[[tokens:${60 + (n % 120)}]] question ${n}:` : words[(word * (n + 3)) % words.length]
      ).join(" ")
    }
  ]
})

const callerOf = (n: number): Caller => ({ tenant: `tenant-${n % 4}`, agent: `agent-${n % 3}`, priority: "normal" })

const outcomes = { answered: 0, failed: 0, hits: 0 }

const message = Effect.fnUntraced(function* (n: number) {
  const governor = yield* Governor
  if (n % 2 === 0) return (yield* governor.run(request(n), callerOf(n))).settlement
  const stream = yield* governor.stream({ ...request(n), stream: true }, callerOf(n))
  yield* Stream.runDrain(stream.events)
  return yield* stream.settlement
}, Effect.scoped)

const tallied = (n: number) =>
  Effect.match(message(n), {
    onSuccess: ({ cache }) => {
      outcomes.answered++
      if (cache !== "miss") outcomes.hits++
    },
    onFailure: () => {
      outcomes.failed++
    }
  })

setFlagsFromString("--expose-gc")
// The flag that was just set puts it there.
const collect = runInNewContext("gc") as () => void
const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(0)

/** The heap after a collection, the whole process, and what waits in the queue. */
const sample = Effect.fnUntraced(function* () {
  const limiter = yield* TokenRateLimiter
  const { queue } = yield* limiter.stats
  collect()
  const { heapUsed, rss } = process.memoryUsage()
  return `heap ${megabytes(heapUsed)} MB, resident ${megabytes(rss)} MB, ${queue.length} waiting`
})

/** Every twentieth message asks again what was asked ten before. */
const numberOf = (n: number): number => (n % 20 === 19 ? n - 10 : n)

const offer = Effect.fnUntraced(function* (begun: number) {
  const fibers: Array<Fiber.Fiber<void>> = []
  const samples: Array<readonly [name: string, memory: string]> = []
  const messages = Math.round((seconds / 60) * perMinute)
  for (let n = 0; n < messages; n++) {
    const due = begun + (n * minute) / perMinute
    yield* Effect.sleep(Math.max(0, due - (yield* Clock.currentTimeMillis)))
    fibers.push(yield* Effect.forkChild(tallied(numberOf(n))))
    if (n % Math.round(messages / 6) !== 0) continue
    samples.push([`after ${Math.round((due - begun) / 1_000)} s`, yield* sample()])
  }
  yield* Effect.sleep(Math.max(0, begun + seconds * 1_000 - (yield* Clock.currentTimeMillis)))
  return { fibers, samples }
})

interface Billed {
  readonly at: number
  readonly counted: number
}
const sum = (entries: ReadonlyArray<Billed>): number => entries.reduce((total, { counted }) => total + counted, 0)

/** The most tokens in any 60 seconds, as upstream counted them. */
const worstMinute = (entries: ReadonlyArray<Billed>): number => {
  let worst = 0
  let used = 0
  let first = 0
  for (const { at, counted } of entries) {
    used += counted
    while ((entries[first]?.at ?? at) <= at - minute) used -= entries[first++]?.counted ?? 0
    worst = Math.max(worst, used)
  }
  return worst
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`
const line = (name: string, value: string) => Console.log(`${name.padEnd(52)} ${value}`)

const soak = (url: string) =>
  Effect.gen(function* () {
    const begun = yield* Clock.currentTimeMillis
    const before = process.cpuUsage()
    const { fibers, samples } = yield* offer(begun)
    const { system: kernel, user } = process.cpuUsage(before)
    const during = outcomes.answered
    const entries = (yield* billOf(url)).filter(({ at }) => at < begun + seconds * 1_000)
    const used = sum(entries)
    yield* line("messages offered", String(fibers.length))
    yield* line("answered within the time, of them from the cache or joined", `${during}, ${outcomes.hits}`)
    yield* line("input tokens counted by upstream", `${used} of ${(limit * seconds) / 60}`)
    yield* line("share of the limit used (97 % wanted)", percent(used, (limit * seconds) / 60))
    yield* line("most in any 60 s, of the limit", percent(worstMinute(entries), limit))
    yield* line("cache reads, not counted", String(entries.reduce((total, { usage }) => total + usage.cacheRead, 0)))
    yield* line("429 from upstream (none wanted)", String(refusals.rate))
    yield* line("other upstream failures, failed messages", `${refusals.other}, ${outcomes.failed}`)
    yield* line("processor time a message", `${((kernel + user) / 1_000 / during).toFixed(1)} ms`)
    for (const [name, memory] of samples) yield* line(name, memory)
    yield* Effect.forEach(fibers, Fiber.join, { discard: true })
    const rest = yield* billOf(url)
    const { today } = yield* (yield* CostTracker).state
    yield* line("once the queue was empty", yield* sample())
    yield* line("once the queue was empty: answered, 429s", `${outcomes.answered}, ${refusals.rate}`)
    yield* line("counted input tokens: bill, ledger", `${sum(rest)}, ${limitedInput(today.usage)}`)
  })

const dataDir = mkdtempSync(join(tmpdir(), "sluice-load-"))
await Effect.runPromise(
  Effect.flatMap(simulator, ({ url }) => Effect.provide(soak(url), house(url, dataDir))).pipe(
    Effect.scoped,
    Effect.provideService(References.MinimumLogLevel, "Error")
  )
)
rmSync(dataDir, { recursive: true, force: true })
