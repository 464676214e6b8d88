import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { type CostReport, CostTracker, type LedgerError } from "../../src/costs/CostTracker.ts"
import { body, message, model, post, type Reply, type Seen, tapped, Wiretap } from "./world.ts"

const tokens = { acme: "token-of-acme-0123456789", other: "token-of-other-0123456789" }
const summaryModel = "claude-haiku-5-5"

const settings = {
  gatewayTokens: new Map(Object.entries(tokens).map(([name, token]) => [name, Redacted.make(token)])),
  gatewayContext: "compact" as const,
  maxContextTokens: 8_000,
  recentMessagesFull: 6,
  midRangeMessages: 20,
  summaryModel
}

const summary = { intents: ["Plan it"], constraints: [], decisions: [], agents: [], outcomes: [], openQuestions: [] }

const answer: Reply = (response, seen) => {
  const text = isSummary(seen) ? JSON.stringify(summary) : `Answer. ${"The next step is this one. ".repeat(20)}`
  const usage = { input_tokens: 1_000, output_tokens: 100 }
  response
    .writeHead(200, { "content-type": "application/json" })
    .end(
      JSON.stringify(
        message({ model: JSON.parse(seen.body.toString()).model, content: [{ type: "text", text }], usage })
      )
    )
}

const isSummary = ({ body: bytes }: Seen): boolean => JSON.parse(bytes.toString()).model === summaryModel

/** Talks until something has been condensed, and the background has had its time. */
const talk = Effect.fnUntraced(function* (key: string, name: string) {
  const messages: Array<{ readonly role: string; readonly content: unknown }> = []
  for (let n = 0; n < 45; n++) {
    messages.push({ role: "user", content: `${name}, question ${n}: ${"what comes next? ".repeat(25)}` })
    const got = yield* post(body({ model, messages }), { "x-api-key": key })
    assert.strictEqual(got.status, 200, got.text)
    messages.push({ role: "assistant", content: got.json.content })
  }
  const { seen } = yield* Wiretap
  assert.include(
    seen
      .filter((one) => !isSummary(one))
      .at(-1)
      ?.body.toString() ?? "",
    "Earlier messages of this"
  )
})

/** The report that holds a summary. */
const summarised: Effect.Effect<CostReport, LedgerError, CostTracker> = Effect.flatMap(
  CostTracker.use((costs) => costs.report({})),
  (report) =>
    report.byAgent.some(({ key }) => key === "summarizer")
      ? Effect.succeed(report)
      : Effect.andThen(Effect.sleep("5 millis"), summarised)
)

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(tapped({ settings }))("summaries of what a gateway's client said", (it) => {
    it.effect("are paid by its tenant", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        tap.reply.current = answer
        yield* talk(tokens.acme, "Ann")
        const { byTenant } = yield* summarised
        assert.deepStrictEqual(
          byTenant.map(({ key }) => key),
          ["acme"]
        )
      })
    )

    it.effect("are not written with the server's key for a client that brings its own", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        tap.reply.current = answer
        yield* Effect.sleep("50 millis")
        const before = tap.seen.length
        yield* talk("sk-ant-of-the-client", "Bob")
        yield* Effect.sleep("50 millis")
        const since = tap.seen.slice(before)
        assert.isFalse(since.some(isSummary))
        assert.isTrue(since.every(({ headers }) => headers["x-api-key"] === "sk-ant-of-the-client"))
      })
    )
  })
})
