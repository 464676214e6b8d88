import { assert, describe, it } from "@effect/vitest"
import { extract } from "../../src/context/Extractive.ts"
import { groundedFacts } from "../../src/context/Verified.ts"

const light = {
  detail: "light",
  agentTools: new Set<string>(),
  maxTokens: 3_000,
  count: (text: string) => text.length / 4
} as const

const prompt = (content: string) => extract([{ seq: 0, role: "user", content, tokens: 0, createdAt: 0 }], light)

describe("text that was made to be slow", () => {
  it("is read once: tags without an end, as many as a prompt can hold, where looking on from each would take minutes", () => {
    for (const unit of ["<system-reminder>", "<local-command-caveat>"]) {
      assert.match(prompt(`Fix the deploy. ${unit.repeat(400_000)}`), /User: Fix the deploy\./)
    }
  })

  it("from a model that summarises is dropped, not pondered; the others of its lines stay", () => {
    const endless = "a".repeat(20_000)
    const facts = groundedFacts(
      {
        intents: [endless, "Fix it"],
        constraints: Array.from({ length: 5_000 }, () => "Never touch it"),
        decisions: ["1".repeat(900)],
        agents: ["a".repeat(900), `${"a ".repeat(400)}!`, endless],
        outcomes: [],
        openQuestions: []
      },
      { all: `Fix it. Never touch it ${"1".repeat(200_000)}`, user: "Fix it. Never touch it", assistant: "" }
    )
    assert.include(
      facts.map(({ text }) => text),
      "User wanted: Fix it"
    )
    assert.isAtMost(facts.length, 110)
    assert.isFalse(facts.some(({ text }) => text.includes("111")))
  })

  it("what a client wraps around a prompt is left out, the rest is kept", () => {
    const text = prompt(
      "Do <system-reminder>x</system-reminder>this<local-command-caveat>y</local-command-caveat> and <system-reminder>that"
    )
    assert.include(text, "User: Do this and that")
  })
})
