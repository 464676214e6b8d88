import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { parseJson } from "../../src/domain/Json.ts"

const pieces = ["a", "\\", '"', "\n", "\u0000", "\ud800", "é", "😀", ":", "{", "}", "[", ",", " ", '":', "\\u0041"]
const Text = Schema.Array(Schema.Literals(pieces)).check(Schema.isMaxLength(3))
const Scalar = Schema.Union([Text, Schema.Finite, Schema.Boolean, Schema.Null])
const Entries = Schema.Array(Schema.Struct({ name: Text, value: Scalar, nested: Schema.Array(Scalar) })).check(
  Schema.isMaxLength(4)
)

const plain = (value: typeof Scalar.Type) => (Array.isArray(value) ? value.join("") : value)
const build = (entries: typeof Entries.Type) =>
  Object.fromEntries(
    entries.map(({ name, nested, value }) => [
      name.join(""),
      nested.length === 0 ? plain(value) : [{ [name.join("")]: plain(value), in: nested.map(plain) }]
    ])
  )

describe("parseJson", () => {
  it("reads an escaped name as what it is, whatever was read before", () => {
    const slash = parseJson(String.raw`{"h":[],"\\":0}`)
    assert.deepStrictEqual(Object.keys(Object(slash)), ["h", "\\"])
    assert.deepStrictEqual(Object.keys(Object(parseJson(String.raw`{"h":1,"\"":2}`))), ["h", '"'])
    assert.deepStrictEqual(Object.keys(Object(parseJson(String.raw`{"h":1,"\u0041":2}`))), ["h", "A"])
  })

  it.prop(
    "is the inverse of JSON.stringify, compact and indented",
    [Entries],
    ([entries]) => {
      const value = build(entries)
      const text = JSON.stringify(value)
      assert.strictEqual(JSON.stringify(parseJson(text)), text)
      assert.strictEqual(JSON.stringify(parseJson(JSON.stringify(value, null, " \t"))), text)
    },
    { arbitrary: { runs: 2_000 } }
  )

  it("keeps __proto__ a property like any other", () => {
    const text = String.raw`{"a\nb":{"__proto__":{"x":1}},"__proto__":2}`
    const value = parseJson(text)
    assert.strictEqual(JSON.stringify(value), text)
    assert.strictEqual(Object.getPrototypeOf(value), Object.prototype)
  })

  it("refuses what JSON.parse refuses", () => {
    for (const text of ["", "{", '{"a\\n":}', '{"a":1,}', "nul", '"\\x"', "[1 2]", '{"a\\n":1} x']) {
      assert.throws(() => parseJson(text), SyntaxError)
    }
  })

  it("reads scalars and white space", () => {
    assert.deepStrictEqual(parseJson(' { "a\\tb" : [ 1e3 , -0.5 , true , null , { } , [ ] , "" ] } '), {
      "a\tb": [1000, -0.5, true, null, {}, [], ""]
    })
    assert.strictEqual(parseJson(" 12 "), 12)
    assert.strictEqual(parseJson('"\\""'), '"')
  })
})
