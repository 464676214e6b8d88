import Anthropic from "@anthropic-ai/sdk"
import type { BetaMessageParam } from "@anthropic-ai/sdk/resources/beta/messages/messages"
import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { Addresses, model, world } from "./world.ts"

const settings = { gatewayTokens: new Map([["acme", Redacted.make("token-of-acme-0123456789")]]) }
const betas = ["compact-2026-09-04" as const]
const history: Array<BetaMessageParam> = [
  { role: "user", content: "Build the billing page." },
  { role: "assistant", content: "It is built." }
]
const asked = { model, max_tokens: 4_000, betas, messages: history, compaction: { type: "summarize" as const } }

const client = Effect.map(
  Addresses,
  ({ gateway }) => new Anthropic({ baseURL: gateway, apiKey: "token-of-acme-0123456789", maxRetries: 0 })
)

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(world({ settings }))("a client that compacts on demand, through the gateway", (it) => {
    it.effect("gets the block whole or streamed, sends it back, and pays what upstream bills", () =>
      Effect.gen(function* () {
        const anthropic = yield* client
        const { data, response } = yield* Effect.promise(() => anthropic.beta.messages.create(asked).withResponse())
        assert.strictEqual(data.stop_reason, "compaction")
        assert.strictEqual(response.headers.get("x-sluice-cache"), "bypass")
        assert.match(response.headers.get("x-sluice-cost-nano-usd") ?? "", /^[1-9]\d*$/)
        const streamed = yield* Effect.promise(() => anthropic.beta.messages.stream(asked).finalMessage())
        assert.deepStrictEqual(streamed.content, data.content)
        const messages: Array<BetaMessageParam> = [
          { role: "assistant", content: data.content },
          { role: "user", content: "Go on." }
        ]
        const next = yield* Effect.promise(() =>
          anthropic.beta.messages.create({ model, max_tokens: 100, betas, messages })
        )
        assert.strictEqual(next.stop_reason, "end_turn")
        const { total } = yield* CostTracker.use((costs) => costs.state)
        const { total: bill } = yield* (yield* Simulator).bill
        assert.deepStrictEqual(total.usage, bill.usage)
        assert.strictEqual(bill.requests, 3)
      })
    )

    it.effect("hears upstream's own refusal when the block was changed, or the header is missing", () =>
      Effect.gen(function* () {
        const anthropic = yield* client
        const { content } = yield* Effect.promise(() => anthropic.beta.messages.create(asked))
        const changed = content.map((block) => (block.type === "compaction" ? { ...block, content: "x" } : block))
        const failing = (messages: Array<BetaMessageParam>, with_: typeof betas | []) =>
          Effect.flip(
            Effect.tryPromise({
              try: () => anthropic.beta.messages.create({ model, max_tokens: 100, betas: with_, messages }),
              catch: (error) => error
            })
          )
        const mismatch = yield* failing([{ role: "assistant", content: changed }, ...history.slice(0, 1)], betas)
        assert.instanceOf(mismatch, Anthropic.BadRequestError)
        assert.strictEqual(mismatch.errorCode, "compaction_content_mismatch")
        const bare = yield* failing([{ role: "assistant", content }, ...history.slice(0, 1)], [])
        assert.instanceOf(bare, Anthropic.BadRequestError)
        assert.include(bare.message, "Input tag 'compaction'")
      })
    )
  })
})
