import Anthropic from "@anthropic-ai/sdk"
import { betaTool } from "@anthropic-ai/sdk/helpers/beta/json-schema"
import { assert, layer } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { Fault } from "../../src/testing/simulator/Faults.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { Addresses, model, world } from "./world.ts"

const settings = { gatewayTokens: new Map([["acme", Redacted.make("token-of-acme-0123456789")]]) }

const client = (options: Partial<ConstructorParameters<typeof Anthropic>[0]> = {}) =>
  Effect.map(
    Addresses,
    ({ gateway }) => new Anthropic({ baseURL: gateway, apiKey: "token-of-acme-0123456789", maxRetries: 0, ...options })
  )

const ask = (content: string) => ({ model, max_tokens: 200, messages: [{ role: "user" as const, content }] })

const failing = (call: Promise<unknown>) =>
  Effect.promise(() =>
    call.then(
      () => undefined,
      (error: unknown) => error
    )
  )

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(world({ settings }))("the Anthropic SDK through the gateway", (it) => {
    it.effect("creates a message, and reads what the gateway says about it", () =>
      Effect.gen(function* () {
        const anthropic = yield* client()
        const { data, request_id, response } = yield* Effect.promise(() =>
          anthropic.messages.create(ask("one")).withResponse()
        )
        assert.deepStrictEqual(data.content[0], { type: "text", text: "Simulated answer to: one" } as never)
        assert.strictEqual(response.headers.get("x-sluice-cache"), "miss")
        assert.strictEqual(response.headers.get("x-sluice-model"), model)
        assert.match(response.headers.get("x-sluice-cost-nano-usd") ?? "", /^[1-9]\d*$/)
        assert.match(request_id ?? "", /^req_sim/)
        const again = yield* Effect.promise(() => anthropic.messages.create(ask("one")).withResponse())
        assert.strictEqual(again.response.headers.get("x-sluice-cache"), "hit")
        assert.strictEqual(again.response.headers.get("x-sluice-cost-nano-usd"), "0")
        assert.isAbove(Number(again.response.headers.get("x-sluice-saved-tokens")), 0)
        assert.deepStrictEqual(again.data.content, data.content)
      })
    )

    it.effect("streams with the raw iterator and with the helper", () =>
      Effect.gen(function* () {
        const anthropic = yield* client()
        const types = yield* Effect.promise(async () => {
          const seen: Array<string> = []
          for await (const event of await anthropic.messages.create({ ...ask("two"), stream: true }))
            seen.push(event.type)
          return seen
        })
        assert.strictEqual(types[0], "message_start")
        assert.strictEqual(types.at(-1), "message_stop")
        const texts: Array<string> = []
        const final = yield* Effect.promise(() =>
          anthropic.messages
            .stream(ask("three"))
            .on("text", (text) => texts.push(text))
            .finalMessage()
        )
        assert.strictEqual(texts.join(""), "Simulated answer to: three")
        assert.strictEqual(final.stop_reason, "end_turn")
        assert.isAbove(final.usage.output_tokens, 1)
      })
    )

    it.effect("answers a stream from the cache as a stream", () =>
      Effect.gen(function* () {
        const anthropic = yield* client()
        const whole = yield* Effect.promise(() => anthropic.messages.create(ask("four")))
        const streamed = yield* Effect.promise(() => anthropic.messages.stream(ask("four")).finalMessage())
        assert.deepStrictEqual(streamed.content, whole.content)
        assert.strictEqual(streamed.id, whole.id)
      })
    )

    it.effect("runs tools", () =>
      Effect.gen(function* () {
        const anthropic = yield* client()
        const calls: Array<unknown> = []
        const weather = betaTool({
          name: "weather",
          description: "The weather somewhere",
          inputSchema: { type: "object", properties: { place: { type: "string" } }, required: ["place"] },
          run: (input) => {
            calls.push(input)
            return "sunny"
          }
        })
        const final = yield* Effect.promise(() =>
          anthropic.beta.messages.toolRunner({
            model,
            max_tokens: 200,
            messages: [{ role: "user", content: '[[tool:weather {"place":"Kiel"}]]' }],
            tools: [weather],
            // The simulator knows no message threads.
            thread: false
          })
        )
        assert.deepStrictEqual(calls, [{ place: "Kiel" }])
        assert.include(JSON.stringify(final.content), "The tool answered: sunny")
      })
    )

    it.effect("counts tokens and lists models", () =>
      Effect.gen(function* () {
        const anthropic = yield* client()
        const { messages } = ask("how long is this?")
        const counted = yield* Effect.promise(() => anthropic.messages.countTokens({ model, messages }))
        assert.isAbove(counted.input_tokens, 3)
        const page = yield* Effect.promise(() => anthropic.models.list())
        assert.include(
          page.data.map(({ id }) => id),
          model
        )
        assert.strictEqual((yield* Effect.promise(() => anthropic.models.retrieve(model))).id, model)
        assert.instanceOf(yield* failing(anthropic.models.retrieve("nothing")), Anthropic.NotFoundError)
      })
    )

    it.effect("sees upstream's refusals as its own error classes, once each", () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator
        const anthropic = yield* client()
        const cases = [
          [Fault.refuse(400, { message: "no" }), Anthropic.BadRequestError],
          [Fault.refuse(403), Anthropic.PermissionDeniedError],
          [Fault.overloaded, Anthropic.OverloadedError],
          [Fault.serverError, Anthropic.InternalServerError],
          [Fault.reset, Anthropic.InternalServerError]
        ] as const
        for (const [index, [fault, expected]] of cases.entries()) {
          yield* simulator.inject(fault)
          const error = yield* failing(anthropic.messages.create(ask(`refused ${index}`)))
          assert.instanceOf(error, expected)
          assert.isNotNull(error.requestID)
        }
        yield* simulator.inject(Fault.rateLimited(7))
        // Another model: the limiter keeps this one's pool back for the seven seconds that were asked for.
        const limited = yield* failing(anthropic.messages.create({ ...ask("limited"), model: "claude-haiku-5-5" }))
        assert.instanceOf(limited, Anthropic.RateLimitError)
        assert.strictEqual(limited.headers?.get("retry-after"), "7")
        assert.strictEqual(limited.type, "rate_limit_error")
      })
    )

    it.effect("tries again by itself, and is served", () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator
        const anthropic = yield* client({ maxRetries: 2 })
        yield* simulator.inject(Fault.refuse(529, { headers: { "retry-after-ms": "1" } }), 2)
        const answer = yield* Effect.promise(() => anthropic.messages.create(ask("retried")))
        assert.include(JSON.stringify(answer.content), "retried")
      })
    )

    it.effect("sees the gateway's own refusals", () =>
      Effect.gen(function* () {
        const wrong = yield* client({ apiKey: "not-a-token-of-anybody" })
        const refused = yield* failing(wrong.messages.create(ask("who am I?")))
        assert.instanceOf(refused, Anthropic.AuthenticationError)
        assert.strictEqual(refused.type, "authentication_error")
        const anthropic = yield* client()
        // Meant to be wrong.
        const bad = yield* failing(anthropic.messages.create({ model, max_tokens: 1 } as never))
        assert.instanceOf(bad, Anthropic.BadRequestError)
        assert.include(bad.message, "messages: Field required")
      })
    )

    it.effect("hears of a stream that breaks", () =>
      Effect.gen(function* () {
        const simulator = yield* Simulator
        const anthropic = yield* client()
        yield* simulator.inject(Fault.errorEvent(3))
        const told = yield* failing(anthropic.messages.stream(ask("told")).finalMessage())
        assert.instanceOf(told, Anthropic.APIError)
        assert.strictEqual(told.type, "overloaded_error")
        yield* simulator.inject(Fault.cut(3))
        const cut = yield* failing(anthropic.messages.stream(ask("cut")).finalMessage())
        assert.instanceOf(cut, Anthropic.APIError)
        assert.strictEqual(cut.type, "api_error")
      })
    )
  })
})
