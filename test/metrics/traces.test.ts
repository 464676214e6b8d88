import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Stream, Tracer } from "effect"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { ClaudeError, Rejected } from "../../src/claude/ClaudeError.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { replayEvents } from "../../src/domain/AnswerReplay.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import type { AssistantMessage, MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { Events } from "../../src/events/Events.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { TokenRateLimiter } from "../../src/limits/TokenRateLimiter.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { ModelRouter } from "../../src/models/ModelRouter.ts"
import { Telemetry } from "../../src/observability/Telemetry.ts"
import { layerGovernor } from "../../src/observability/Traced.ts"
import { Settings } from "../../src/Settings.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"

const secret = "the password is hunter2"
const model = "claude-sonnet-5-5"
const ask: MessagesRequest = { model, max_tokens: 100, temperature: 0.5, messages: [{ role: "user", content: secret }] }
const answer: AssistantMessage = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model,
  content: [{ type: "text", text: "I will not repeat it" }],
  stop_reason: "end_turn",
  stop_sequence: null,
  usage: { input_tokens: 10, cache_creation_input_tokens: 5, cache_read_input_tokens: 20, output_tokens: 7 }
}

const working = {
  kind: "fake",
  send: () => Effect.succeed({ message: answer, status: 200, headers: {} }),
  stream: () =>
    Effect.succeed({ status: 200, headers: {}, events: Stream.rechunk(Stream.fromIterable(replayEvents(answer)), 1) })
}

const refusing = {
  ...working,
  send: () =>
    Effect.fail(
      new ClaudeError({
        reason: new Rejected({ status: 400, headers: {}, body: null, requestId: null })
      })
    )
}

/** A tracer that keeps every span that ended. */
const recorder = () => {
  const ended: Array<Tracer.NativeSpan> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      const end = span.end.bind(span)
      span.end = (time, exit) => {
        end(time, exit)
        ended.push(span)
      }
      return span
    }
  })
  return { ended, tracer }
}

const governor = (
  telemetry: Layer.Layer<Telemetry>,
  claude: Pick<Claude["Service"], "kind" | "send" | "stream"> = working
) =>
  layerGovernor.pipe(
    Layer.provide([
      Layer.mock(Claude, claude),
      ModelRouter.layer,
      ResponseCache.layer,
      TokenRateLimiter.layer,
      CostTracker.layerMemory,
      TokenEstimator.layerMemory
    ]),
    Layer.provide([ModelCatalog.layerDefault, Events.layer, telemetry]),
    Layer.provide(Settings.layerWith({}))
  )

const names = (spans: ReadonlyArray<Tracer.NativeSpan>) => spans.map(({ name }) => name)

const parentOf = (span: Tracer.NativeSpan | undefined) => span?.parent

describe("traces", () => {
  it.live("one trace for a request, its stages below it, with what it came to and without what it said", () => {
    const { ended, tracer } = recorder()
    return Effect.gen(function* () {
      yield* Governor.use(({ run }) => run(ask, { ...defaultCaller, conversation: "c1" }))
      const root = ended.find(({ name }) => name === `chat ${model}`)
      assert.isDefined(root)
      assert.deepStrictEqual(
        names(ended).toSorted(),
        ["budget", "cache", "cache store", `chat ${model}`, "queue", "route", "settle", "upstream"].toSorted()
      )
      assert.strictEqual(new Set(ended.map(({ traceId }) => traceId)).size, 1)
      for (const stage of ended) if (stage !== root) assert.strictEqual(stage.parent._tag, "Some", stage.name)
      const attributes = Object.fromEntries(root?.attributes ?? [])
      assert.deepInclude(attributes, {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": model,
        "gen_ai.request.max_tokens": 100,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.conversation.id": "c1",
        "gen_ai.response.model": model,
        "gen_ai.usage.input_tokens": 35,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 20,
        "gen_ai.usage.cache_creation.input_tokens": 5,
        "sluice.cache": "miss",
        "sluice.tenant": "default"
      })
      const everything = JSON.stringify(ended.map((span) => [...span.attributes]))
      assert.notInclude(everything, "hunter2")
      assert.notInclude(everything, "repeat")
    }).pipe(Effect.provide(governor(Telemetry.layerWith(tracer))))
  })

  it.live("prompts and answers are there when a setting says so", () => {
    const { ended, tracer } = recorder()
    return Effect.gen(function* () {
      yield* Governor.use(({ run }) => run(ask, defaultCaller))
      const root = ended.find(({ name }) => name === `chat ${model}`)
      assert.include(String(root?.attributes.get("gen_ai.input.messages")), "hunter2")
      assert.include(String(root?.attributes.get("gen_ai.output.messages")), "repeat")
    }).pipe(Effect.provide(governor(Telemetry.layerWith(tracer, true))))
  })

  it.live("a stream's spans end when it is settled", () => {
    const { ended, tracer } = recorder()
    return Effect.gen(function* () {
      yield* Effect.scoped(
        Effect.gen(function* () {
          // A shared stream is read ahead of its listeners; this one waits to be read.
          const stream = yield* Governor.use((it) => it.stream(ask, defaultCaller, { cache: "off" }))
          assert.notInclude(names(ended), `chat ${model}`)
          yield* Stream.runDrain(stream.events)
          yield* stream.settlement
        })
      )
      yield* Effect.repeat(Effect.yieldNow, { until: () => names(ended).includes(`chat ${model}`) })
      const root = ended.find(({ name }) => name === `chat ${model}`)
      assert.include(names(ended), "upstream")
      assert.strictEqual(root?.attributes.get("gen_ai.usage.output_tokens"), 7)
      assert.isTrue(parentOf(root)?._tag === "None")
    }).pipe(Effect.provide(governor(Telemetry.layerWith(tracer))))
  })

  it.live("a failure says its kind", () => {
    const { ended, tracer } = recorder()
    return Effect.gen(function* () {
      const exit = yield* Effect.exit(Governor.use(({ run }) => run(ask, defaultCaller)))
      assert.isTrue(Exit.isFailure(exit))
      const root = ended.find(({ name }) => name === `chat ${model}`)
      assert.strictEqual(root?.attributes.get("error.type"), "ClaudeError")
      assert.strictEqual(root?.status._tag, "Ended")
    }).pipe(Effect.provide(governor(Telemetry.layerWith(tracer), refusing)))
  })

  it.live("without a collector there are no spans of ours", () => {
    const { ended, tracer } = recorder()
    return Governor.use(({ run }) => run(ask, defaultCaller)).pipe(
      Effect.withTracer(tracer),
      Effect.tap(() => Effect.sync(() => assert.notInclude(names(ended), `chat ${model}`))),
      Effect.provide(governor(Telemetry.layer.pipe(Layer.provide(Settings.layerWith({})))))
    )
  })
})
