import Anthropic, { InternalServerError, OverloadedError, RateLimitError } from "@anthropic-ai/sdk"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SimulatorServer from "../../src/testing/SimulatorServer.ts"
import { Fault } from "../../src/testing/simulator/Faults.ts"
import { callTools } from "../../src/testing/simulator/Responder.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { baseUrl } from "../claude/sockets.ts"

const server = SimulatorServer.layer({ port: 0, shutdown: "1 millis" })
const client = Effect.map(baseUrl, (url) => new Anthropic({ apiKey: "sk-test", baseURL: url, maxRetries: 0 }))
const messages = [{ role: "user" as const, content: "hello" }]
const body = { model: "claude-sonnet-5-5", max_tokens: 100, messages }

/** The SDK as its users have it, with its own fetch: what it makes of the simulator is what it would make of upstream. */
describe("the simulator, as the SDK sees it", () => {
  it.live("whole and streamed answers are the same message", () =>
    Effect.gen(function* () {
      const anthropic = yield* client
      const simulator = yield* Simulator
      const call = callTools({
        name: "search",
        input: { q: "a long enough input, so that it comes in several pieces" }
      })
      const thinking = { type: "thinking", thinking: "let me think about it", signature: "c2lnbmF0dXJl" }
      yield* simulator.script(
        { content: [thinking, { type: "text", text: "one two three four five" }, ...call.content] },
        { content: [thinking, { type: "text", text: "one two three four five" }, ...call.content] }
      )
      const whole = yield* Effect.promise(() => anthropic.messages.create(body))
      const streamed = yield* Effect.promise(() => anthropic.messages.stream(body).finalMessage())
      const comparable = ({ content, stop_reason, usage }: Anthropic.Message) => ({
        content: content.map((block) => ("id" in block ? { ...block, id: "" } : block)),
        stop_reason,
        usage
      })
      assert.deepStrictEqual(comparable(streamed), comparable(whole))
      assert.strictEqual(streamed.stop_reason, "tool_use")
    }).pipe(Effect.provide(server))
  )

  it.live("refusals are its own error classes", () =>
    Effect.gen(function* () {
      const anthropic = yield* client
      const simulator = yield* Simulator
      const meet = (fault: Fault) =>
        Effect.andThen(
          simulator.inject(fault),
          Effect.flip(Effect.tryPromise({ try: () => anthropic.messages.create(body), catch: (error) => error }))
        )
      assert.instanceOf(yield* meet(Fault.rateLimited(3)), RateLimitError)
      assert.instanceOf(yield* meet(Fault.ramp(3)), Anthropic.RampLimitExceededError)
      assert.instanceOf(yield* meet(Fault.spendLimit), Anthropic.EnforcedSpendLimitReachedError)
      assert.instanceOf(yield* meet(Fault.contractSpendLimit), Anthropic.ContractSpendLimitReachedError)
      assert.instanceOf(yield* meet(Fault.overloaded), OverloadedError)
      assert.instanceOf(yield* meet(Fault.serverError), InternalServerError)
      assert.instanceOf(yield* meet(Fault.reset), Anthropic.APIConnectionError)
    }).pipe(Effect.provide(server))
  )

  it.live("models and token counts come in its types", () =>
    Effect.gen(function* () {
      const anthropic = yield* client
      const ids = yield* Effect.promise(async () => {
        const seen: Array<string> = []
        for await (const model of anthropic.models.list()) seen.push(model.id)
        return seen
      })
      assert.include(ids, "claude-haiku-5-5")
      const count = yield* Effect.promise(() => anthropic.messages.countTokens({ model: body.model, messages }))
      assert.isAbove(count.input_tokens, 0)
    }).pipe(Effect.provide(server))
  )
})
