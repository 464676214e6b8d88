import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { features } from "../../src/tokens/automaton.ts"
import { countsOf, noVisits, scan } from "../../src/tokens/scan.ts"

const counts = (text: string): Record<string, number> => {
  const visits = noVisits()
  scan(text, visits)
  const found = countsOf(visits)
  return Object.fromEntries(features.map((name, i) => [name, found[i] ?? 0]).filter(([, n]) => n !== 0))
}

describe("scan", () => {
  it("finds nothing in nothing", () => assert.deepStrictEqual(counts(""), {}))

  it("tells words, parts of identifiers and capitals apart", () => {
    assert.deepStrictEqual(counts("word Word"), { word: 2 })
    assert.deepStrictEqual(counts("someName snake_case v2beta"), {
      word: 3,
      longWord: 1,
      part: 3,
      punctuation: 1,
      digits: 1
    })
    assert.deepStrictEqual(counts("HTTPServer"), { word: 1, capital: 1, capitals: 3, part: 1, longPart: 1 })
  })

  it("counts what is longer than usual", () => {
    assert.deepStrictEqual(counts("estimator"), { word: 1, longWord: 4, veryLongWord: 1 })
    assert.deepStrictEqual(counts("a".repeat(25)), { word: 1, longWord: 4, veryLongWord: 12, endless: 5 })
    assert.deepStrictEqual(counts("=".repeat(20)), { punctuation: 1, mark: 3, marks: 12, rule: 4 })
  })

  it("takes digits by threes", () => {
    assert.deepStrictEqual(counts("1 12 123 1234"), { digits: 5 })
  })

  it("tells spaces at the start of a line from spaces inside it", () => {
    assert.deepStrictEqual(counts("a b"), { word: 2 })
    assert.deepStrictEqual(counts("a\n  b"), { word: 2, newline: 1, indent: 1 })
    assert.deepStrictEqual(counts("a  b"), { word: 2, gap: 1 })
    assert.deepStrictEqual(counts(`a${" ".repeat(20)}b\n\n\t\tc`), { word: 3, gap: 1, longGap: 4, newline: 1, tab: 1 })
  })

  it("keeps a word with an accent whole, and counts other scripts by character", () => {
    assert.strictEqual(counts("naïve").word, 1)
    assert.deepStrictEqual(counts("你好"), { foreign: 20 })
    assert.deepStrictEqual(counts("→ ──"), { symbol: 20 })
    assert.strictEqual(counts("😀").foreign, 24)
    assert.strictEqual(counts("\ud83d").foreign, 12)
  })

  it.prop(
    "no count falls when a text gets longer",
    [Schema.String, Schema.String],
    ([text, more]) => {
      const before = counts(text)
      const after = counts(text + more)
      for (const [name, n] of Object.entries(before)) assert.isAtLeast(after[name] ?? 0, n, name)
    },
    { arbitrary: { runs: 500 } }
  )
})
