import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import { groundingIn, isGrounded } from "../../src/context/Grounding.ts"
import { Summarizer, type SummaryRequest } from "../../src/context/Summarizer.ts"
import { NotWritten, SummaryWriter, type WrittenSummary } from "../../src/context/SummaryWriter.ts"
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

  it.effect(
    "a model that fails leaves the extractive summary, and is asked for a run once more, when it is needed again",
    () => {
      let calls = 0
      return Effect.gen(function* () {
        const { summarize } = yield* Summarizer
        const first = yield* summarize(request)
        yield* settle
        assert.deepStrictEqual(yield* summarize(request), first)
        yield* settle
        assert.strictEqual(calls, 2)
        assert.deepStrictEqual(yield* summarize(request), first)
        yield* settle
        assert.strictEqual(calls, 2)
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
    }
  )

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

  it("checks names and quoted words, whatever their case, and where a sentence starts only an agent's", () => {
    const source = 'the reviewer, marvin, found it with Jean-Luc: "drop the index". \nGitHub refused twice, 478 tests'
    const { agent, line } = groundingIn({ all: source, user: source, assistant: "" })
    for (const said of [
      "Later it was found by Marvin and Jean-Luc's agent",
      'User said "Drop the index."',
      "Afterwards GitHub refused. Nothing was lost",
      "I was told that the User waits"
    ]) {
      assert.isTrue(line(said), said)
    }
    for (const said of ["It was found by Zaphod", 'User said "keep the index"', "78 tests", "then 4 refused"]) {
      assert.isFalse(line(said), said)
    }
    assert.isTrue(agent("Marvin: reviews"))
    assert.isTrue(agent("Waiting for marvin"))
    for (const said of ["Zaphod: reviews", "Agent Zaphod (reviewer) waits", "Zaphod's review is open"]) {
      assert.isFalse(agent(said), said)
    }
  })

  it.effect("a summary of one branch is never another's, though the messages bear the same numbers", () =>
    Effect.gen(function* () {
      const { summarize } = yield* Summarizer
      yield* summarize(request)
      yield* settle
      const other = messages.map((message) => (message.seq === 0 ? { ...message, content: "Write a poem." } : message))
      assert.notInclude((yield* summarize({ ...request, messages: other })).text, "User wanted")
    }).pipe(Effect.provide(withWriter(() => Effect.succeed(good))))
  )

  it.effect("what found no place among the waiting jobs is asked for again", () => {
    let calls = 0
    return Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      yield* Effect.gen(function* () {
        const { ahead, summarize } = yield* Summarizer
        const numbered = (n: number) => ({ ...request, conversation: `c${n}` })
        for (let n = 0; n < 300; n++) yield* ahead(numbered(n))
        yield* settle
        yield* Deferred.succeed(gate, undefined)
        for (let i = 0; i < 200; i++) yield* settle
        for (let n = 0; n < 300; n++) yield* summarize(numbered(n))
        for (let i = 0; i < 200; i++) yield* settle
        for (let n = 0; n < 300; n++) assert.include((yield* summarize(numbered(n))).text, "User wanted")
        assert.strictEqual(calls, 300)
      }).pipe(
        Effect.provide(
          withWriter(() => {
            calls++
            return Effect.as(Deferred.await(gate), good)
          })
        )
      )
    })
  })

  it.effect("a writer that breaks does not end the writing of the others", () => {
    let calls = 0
    return Effect.gen(function* () {
      const { ahead, summarize } = yield* Summarizer
      yield* ahead(request)
      yield* settle
      yield* ahead({ ...request, conversation: "other" })
      yield* settle
      assert.include((yield* summarize({ ...request, conversation: "other" })).text, "User wanted")
    }).pipe(Effect.provide(withWriter(() => (calls++ === 0 ? Effect.die(new Error("broken")) : Effect.succeed(good)))))
  })
})
