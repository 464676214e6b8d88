import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import { Summarizer, type SummaryRequest } from "../../src/context/Summarizer.ts"
import { NotWritten, SummaryWriter, type WrittenSummary } from "../../src/context/SummaryWriter.ts"
import { isGrounded } from "../../src/context/Verified.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { layerPlainEstimator } from "../support/estimator.ts"

const messages: ReadonlyArray<StoredMessage> = [
  {
    seq: 0,
    role: "user",
    content: "Fix the deploy of src/app/main.ts. Never touch production.",
    tokens: 0,
    createdAt: 0
  },
  {
    seq: 1,
    role: "assistant",
    content: "Root cause: the migration ran twice. Committed as `2bcd4622`, 478 tests pass.",
    tokens: 0,
    createdAt: 0
  },
  { seq: 2, role: "user", content: "thanks", tokens: 0, createdAt: 0 }
]

const request: SummaryRequest = { conversation: "c", detail: "light", messages, maxTokens: 400, model: "m" }

const good: WrittenSummary = {
  intents: ["Fix the deploy of src/app/main.ts"],
  constraints: ["Never touch production"],
  decisions: ["The migration ran twice; that was the root cause"],
  agents: [],
  outcomes: ["All 479 tests pass", "Pushed to feat/invented-branch"],
  openQuestions: []
}

const withWriter = (write: SummaryWriter["Service"]["write"]) =>
  Summarizer.layerModel.pipe(
    Layer.provide(Layer.succeed(SummaryWriter, { write })),
    Layer.provide(layerPlainEstimator),
    Layer.provide(ModelCatalog.layerDefault),
    Layer.provide(Settings.layerWith({}))
  )

/** Lets the background fiber work off what it has. */
const settle = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })

describe("summaries written by a model", () => {
  it.effect("no request waits: the extractive one serves until the model's is ready", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const program = Effect.gen(function* () {
        const { summarize } = yield* Summarizer
        const first = yield* summarize(request)
        assert.include(first.text, "User: Fix the deploy")
        yield* Deferred.succeed(gate, undefined)
        yield* settle
        const second = yield* summarize(request)
        assert.include(second.text, "User wanted: Fix the deploy of src/app/main.ts")
        const heavy = yield* summarize({ ...request, detail: "heavy", maxTokens: 200 })
        assert.include(heavy.text, "User wanted:")
      })
      yield* Effect.provide(
        program,
        withWriter(() => Effect.as(Deferred.await(gate), good))
      )
    })
  )

  it.effect("what is announced ahead is ready when it is asked for, light and heavy, and written once", () =>
    Effect.gen(function* () {
      let calls = 0
      const program = Effect.gen(function* () {
        const { ahead, costNanoUsd, summarize } = yield* Summarizer
        yield* ahead(request)
        yield* settle
        for (const detail of ["light", "heavy"] as const) {
          assert.include((yield* summarize({ ...request, detail })).text, "User wanted:")
        }
        assert.strictEqual(calls, 1)
        assert.isAbove(costNanoUsd(10_000), 0)
      })
      yield* Effect.provide(
        program,
        withWriter(() =>
          Effect.sync(() => {
            calls++
            return good
          })
        )
      )
    })
  )

  it.effect("nothing that is not in the messages is accepted; dear facts the model dropped are added back", () =>
    Effect.gen(function* () {
      const { summarize } = yield* Summarizer
      yield* summarize(request)
      yield* settle
      const { text, tokens } = yield* summarize(request)
      assert.notInclude(text, "479")
      assert.notInclude(text, "invented-branch")
      assert.include(text, "2bcd4622")
      assert.include(text, "478 tests")
      assert.isAtMost(tokens, request.maxTokens)
    }).pipe(Effect.provide(withWriter(() => Effect.succeed(good))))
  )

  it.effect("a model that fails leaves the extractive summary, and is asked once for a run", () => {
    let calls = 0
    return Effect.gen(function* () {
      const { summarize } = yield* Summarizer
      const first = yield* summarize(request)
      yield* settle
      assert.deepStrictEqual(yield* summarize(request), first)
      yield* settle
      assert.strictEqual(calls, 1)
    }).pipe(
      Effect.provide(
        withWriter(() =>
          Effect.suspend(() => {
            calls++
            return Effect.fail(new NotWritten({ reason: "refused" }))
          })
        )
      )
    )
  })

  it("checks paths, ids, numbers and code letter for letter", () => {
    const source = "edited src/app/main.ts, commit 2bcd4622, `minCells`, 478 tests"
    for (const line of [
      "Edited src/app/main.ts",
      "commit 2bcd4622 with 478 tests",
      "uses `minCells`",
      "no claims at all"
    ]) {
      assert.isTrue(isGrounded(line, source), line)
    }
    for (const line of [
      "Edited src/app/other.ts",
      "commit 2bcd4623",
      "479 tests",
      "uses `maxCells`",
      "see https://x.example/1"
    ]) {
      assert.isFalse(isGrounded(line, source), line)
    }
  })
})
