import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { isFailure, salience } from "../../src/context/Salience.ts"
import { oneLine } from "../../src/context/Text.ts"

/** Marks of a line that has everything: then every pattern is tried. */
const everything = -1

const pieces: ReadonlyArray<string> = [
  ..."decided choose chose because never mustn't don't only should not turns out root cause with going".split(" "),
  ..."all tests passed committed Fixed error Errors TIMEOUT timed out ENOENT TS2304 exit code 1 every cannot".split(
    " "
  ),
  ..."https://a.b/c deadbeef12 1234567 abcdef1 feat/x /pull/7 agentId: userID=4 @a/b@1.2.3 v1.2.3 #12 127.0.0.1".split(
    " "
  ),
  ...'`code` **bold** "quoted words" “curly” src/a.ts ids x_error _error éerror ſhould İd'.split(" "),
  ...[
    " ",
    "  ",
    "\t",
    ":",
    "=",
    "/",
    "-",
    ".",
    "(",
    "'",
    "\u0000",
    "\u00a0",
    "🙂",
    "\ud83d",
    "7",
    "a",
    "f",
    "I",
    "d",
    "E"
  ]
]

const line = Schema.Array(Schema.Literals(pieces))

describe("salience", () => {
  it.prop("looks only for what may be there and finds the same", [line, Schema.Boolean], ([words, spaced]) => {
    const text = words.join(spaced ? " " : "")
    assert.strictEqual(salience(text), salience(text, everything), JSON.stringify(text))
    assert.strictEqual(isFailure(text), isFailure(text, everything), JSON.stringify(text))
  })

  it("weighs ids, decisions and outcomes above chatter", () => {
    assert.isAbove(salience("We decided to keep agent_id: a81f3c9 because 3 tests failed"), 15)
    assert.isBelow(salience("Let me check that"), 0)
  })
})

describe("one line", () => {
  it.prop("is the text with every run of white space as one space", [line], ([words]) => {
    const text = words.join("").replaceAll("\u0000", "")
    assert.strictEqual(oneLine(text), text.replace(/\s+/g, " ").trim())
  })
})
