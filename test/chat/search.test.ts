import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { bestPassage, wantedOf, wordsOf } from "../../src/chat/excerpt.ts"
import { MessageSearch } from "../../src/chat/MessageSearch.ts"
import { Settings } from "../../src/Settings.ts"
import { readProbes } from "../bench/probes.ts"
import { byAnswer, byQuestion, missedBySearch } from "../bench/searchProbes.ts"
import { describePostgres, TestPostgres } from "../support/postgres.ts"
import { longSearchSuite } from "./longSearch.ts"
import { searchIndexSuite } from "./searchIndex.ts"
import { searchModel } from "./searchModel.ts"
import { searchSuite } from "./searchSuite.ts"

const over = <E>(database: Layer.Layer<Layer.Success<typeof Database.layerMemory>, E>) =>
  MessageSearch.layer.pipe(
    Layer.provideMerge(ChatRepo.layerNoDeps),
    Layer.provideMerge(database),
    Layer.provide(Settings.layerWith({}))
  )

const scanned = MessageSearch.layerScan.pipe(
  Layer.provideMerge(ChatRepo.layerMemory),
  Layer.provide(Settings.layerWith({}))
)

layer(over(Database.layerMemory), { timeout: "60 seconds" })("search on PGlite", (it) => {
  searchSuite(it)
  longSearchSuite(it)
  searchIndexSuite(it)
  searchModel(it, 40)
})

layer(scanned)("search by reading everything", searchSuite)

const postgres = Layer.unwrap(TestPostgres.useSync(({ url }) => Database.layerPostgres(url)))

describePostgres("with a server", () => {
  layer(over(postgres.pipe(Layer.provide(TestPostgres.layer))), { timeout: "60 seconds" })(
    "search on Postgres",
    (it) => {
      searchSuite(it)
      longSearchSuite(it)
      searchIndexSuite(it)
      searchModel(it, 60)
    }
  )
})

describe("passages and words", () => {
  it("common words are left out unless nothing else is asked", () => {
    const terms = (query: string) => wantedOf(query).terms.map(({ text }) => text)
    assert.deepStrictEqual(terms("What is the commit of feat/x?"), ["commit", "feat", "x"])
    assert.deepStrictEqual(terms("who are you"), ["who", "are", "you"])
    assert.deepStrictEqual(terms("Issues were analysed"), ["issu", "analys"])
  })
  it("words end at punctuation of any script; characters without spaces between them stand alone", () => {
    assert.deepStrictEqual(wordsOf("“Ein—Wort”…TASK_7 設定x"), ["ein", "wort", "task", "7", "設", "定", "x"])
  })
  it("the passage holds the most of the words, or the most telling ones", () => {
    const text = `alpha ${"x".repeat(1_000)} alpha beta ${"y".repeat(1_000)} gamma beta`
    assert.include(bestPassage(text, wantedOf("beta alpha"), 100).excerpt, "alpha beta")
    const weights = new Map([["gamma", 9]])
    assert.include(bestPassage(text, wantedOf("beta alpha gamma"), 100, weights).excerpt, "gamma beta")
  })
  it("a word is not found inside another", () => {
    assert.strictEqual(bestPassage("a preproduction id", wantedOf("production"), 100).words, 0)
    assert.strictEqual(bestPassage("produced", wantedOf("pro"), 100).words, 0)
  })
})

layer(over(Database.layerMemory), { timeout: "120 seconds" })("search in real conversations", (it) => {
  it.effect.skipIf(readProbes().length === 0)("reaches every memory probe in one call", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* missedBySearch(readProbes().map(byAnswer)), [])
    })
  )

  it.effect.skipIf(readProbes().length === 0)("reaches most of them by the words of the question alone", () =>
    Effect.gen(function* () {
      const probes = readProbes()
      assert.isAtMost((yield* missedBySearch(probes.map(byQuestion))).length, probes.length * 0.2)
    })
  )
})
