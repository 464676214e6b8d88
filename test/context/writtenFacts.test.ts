import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Scope } from "effect"
import { merge } from "../../src/context/Extractive.ts"
import { Summarizer, type SummaryRequest } from "../../src/context/Summarizer.ts"
import { SummaryWriter, type WrittenSummary } from "../../src/context/SummaryWriter.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { layerPlainEstimator } from "../support/estimator.ts"
import { emptySummary as none } from "./emptySummary.ts"

const contents: ReadonlyArray<StoredMessage["content"]> = [
  "Fix the deploy of src/app/main.ts. Never touch production, and do not write to customers.",
  [
    { type: "text", text: "The staging cluster keeps an older certificate, which explains the handshake failure." },
    { type: "tool_use", id: "t1", name: "Task", input: { description: "reviewer", prompt: "read the deploy scripts" } }
  ],
  [{ type: "tool_result", tool_use_id: "t1", content: "started" }],
  "Committed as 2bcd4622, 478 tests pass.",
  "thanks"
]
const messages = contents.map(
  (content, seq): StoredMessage => ({
    seq,
    role: seq % 2 === 0 ? "user" : "assistant",
    content,
    tokens: 0,
    createdAt: 0
  })
)
const request: SummaryRequest = { conversation: "c", detail: "light", messages, maxTokens: 600, model: "m" }

const layers = (write: SummaryWriter["Service"]["write"]) =>
  Summarizer.layerModel.pipe(
    Layer.provide(Layer.succeed(SummaryWriter, { write })),
    Layer.provide(layerPlainEstimator),
    Layer.provide(ModelCatalog.layerDefault),
    Layer.provide(Settings.layerWith({}))
  )

const settle = Effect.forEach(Array.from({ length: 30 }), () => Effect.yieldNow, { discard: true })

/** The summary when the model has answered. */
const writtenAs = (written: WrittenSummary, asked: SummaryRequest = request) =>
  Effect.gen(function* () {
    const { ahead, summarize } = yield* Summarizer
    yield* ahead(asked)
    yield* settle
    return yield* summarize(asked)
  }).pipe(Effect.provide(layers(() => Effect.succeed(written))))

describe("what the extractive summary knows, a written one knows, too", () => {
  it.effect("a model that says nothing, or only what is not so, takes nothing away", () =>
    Effect.gen(function* () {
      const extractive = yield* Effect.provide(
        Summarizer.use(({ summarize }) => summarize(request)),
        layers(() => Effect.never)
      )
      assert.strictEqual((yield* writtenAs(none)).text, extractive.text)
      assert.strictEqual((yield* writtenAs({ ...none, outcomes: ["Merged as 99999999"] })).text, extractive.text)
    })
  )

  it.effect("a prompt is kept where the model says its path, and not its rules", () =>
    Effect.gen(function* () {
      const { text } = yield* writtenAs({ ...none, intents: ["Fix the deploy of src/app/main.ts"] })
      assert.include(text, "User wanted: Fix the deploy of src/app/main.ts")
      assert.include(text, "Never touch production, and do not write to customers")
    })
  )

  it.effect("so are agents without an id, and numbers that the model says only as a part of others", () =>
    Effect.gen(function* () {
      const { text } = yield* writtenAs({ ...none, outcomes: ["Committed as 2bcd4622"] })
      assert.include(text, 'Agent "reviewer"')
      assert.include(text, "478 tests")
      assert.include(text, "older certificate")
    })
  )

  it.effect("what the model says in full is not said twice", () =>
    Effect.gen(function* () {
      const outcome = "Committed as 2bcd4622, 478 tests pass"
      const { text } = yield* writtenAs({ ...none, outcomes: [outcome] })
      assert.strictEqual(text.split("2bcd4622").length, 2)
    })
  )

  it("merging summaries keeps what the user wanted before what was merely found", () => {
    const found = Array.from({ length: 30 }, (_, n) => `- Outcome: found /var/log/app-${n}.log with ${n}7 errors`)
    const text = [
      "[Summary of messages 0–19, 2026-01-01 00:00 to 2026-01-01 01:00 UTC]",
      "User wanted: keep the importer working",
      "User's constraint: no downtime",
      "Decided: two phases",
      ...found
    ].join("\n")
    const merged = merge([text, text.replace("0–19", "20–39")], 60, (line) => Math.ceil(line.length / 4))
    for (const kept of ["keep the importer working", "no downtime", "two phases"]) assert.include(merged, kept)
  })
})

describe("the writing of summaries", () => {
  it.effect("goes on when a call is interrupted, or breaks before it begins", () => {
    let calls = 0
    const write = (): Effect.Effect<WrittenSummary> => {
      calls++
      if (calls === 1) return Effect.interrupt
      if (calls === 2) throw new Error("broken")
      return Effect.succeed({ ...none, intents: ["Fix the deploy"] })
    }
    return Effect.gen(function* () {
      const { ahead, summarize } = yield* Summarizer
      for (const conversation of ["a", "b", "c"]) {
        yield* ahead({ ...request, conversation })
        yield* settle
      }
      assert.include((yield* summarize({ ...request, conversation: "c" })).text, "User wanted: Fix the deploy")
      yield* summarize({ ...request, conversation: "a" })
      yield* settle
      assert.include((yield* summarize({ ...request, conversation: "a" })).text, "User wanted: Fix the deploy")
    }).pipe(Effect.provide(layers(write)))
  })

  it.effect("is not held up by a call that waits for its turn", () =>
    Effect.gen(function* () {
      const { ahead, summarize } = yield* Summarizer
      for (const tenant of ["slow", "quick"]) yield* ahead({ ...request, conversation: tenant, tenant })
      yield* settle
      assert.include((yield* summarize({ ...request, conversation: "quick" })).text, "User wanted: Fix the deploy")
    }).pipe(
      Effect.provide(
        layers(({ tenant }) =>
          tenant === "slow" ? Effect.never : Effect.succeed({ ...none, intents: ["Fix the deploy"] })
        )
      )
    )
  )

  it.effect("ends with its layer, also in the middle of a call", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const begun = yield* Deferred.make<void>()
      const context = yield* Layer.buildWithScope(
        layers(() => Effect.andThen(Deferred.succeed(begun, undefined), Effect.never)),
        scope
      )
      yield* Effect.provide(
        Summarizer.use(({ ahead }) => ahead(request)),
        context
      )
      yield* Deferred.await(begun)
      const closing = yield* Effect.forkChild(Scope.close(scope, yield* Effect.exit(Effect.void)))
      yield* settle
      assert.isDefined(closing.pollUnsafe())
      yield* Fiber.join(closing)
    })
  )
})
