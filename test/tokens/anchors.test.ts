import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Message } from "../../src/domain/Message.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import type { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { assistant, now, old, prose, request, usage, user, withEstimator } from "./support.ts"

const first = [user(prose.repeat(3))]
const answer = assistant([{ type: "text", text: prose }])
const next = [...first, answer, user("Go on.")]

/** A prompt whose system prompt and tools the log does not hold: really 20,000 tokens. */
const hidden = 20_000

const ofNew = (estimator: TokenEstimator["Service"], messages: ReadonlyArray<Message>): number =>
  messages.reduce((sum, message) => sum + estimator.message(message, now).tokens, 0)

describe("after a prompt was observed", () => {
  it.effect("the same prompt is what it was", () =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        yield* estimator.observe(request(first), usage(hidden))
        assert.deepStrictEqual(estimator.estimate(request(first)), { tokens: hidden, upperBound: hidden })
      })
    )
  )

  it.effect("the next one is that and what is new, also in new objects and with a breakpoint moved", () =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        yield* estimator.observe(request(first), usage(hidden))
        const expected = hidden + ofNew(estimator, next.slice(1))
        assert.closeTo(estimator.estimate(request(next)).tokens, expected, 2)
        assert.closeTo(estimator.estimate(structuredClone(request(next))).tokens, expected, 2)
        const marked = next.map((message) => ({
          ...message,
          content: [
            { type: "text", text: typeof message.content === "string" ? message.content : prose, cache_control: {} }
          ]
        }))
        assert.closeTo(estimator.estimate(request(marked)).tokens, expected, 2)
      })
    )
  )

  it.effect("the bound covers what is new, not the whole prompt again", () =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        yield* estimator.observe(request(first), usage(hidden))
        const { tokens, upperBound } = estimator.estimate(request(next))
        assert.isAbove(upperBound, tokens)
        assert.isBelow(upperBound, tokens + 1_500)
      })
    )
  )

  const changed: ReadonlyArray<readonly [what: string, request: MessagesRequest]> = [
    ["the model", request(next, { model: old })],
    ["the system prompt", request(next, { system: "Be brief." })],
    ["the tools", request(next, { tools: [{ name: "ls" }] })],
    ["an earlier message", request([user(`${prose.repeat(3)}!`), ...next.slice(1)])],
    ["a message put before", request([user("Hello."), assistant("Hello."), ...next])],
    ["the first message gone", request(next.slice(2))]
  ]
  for (const [what, other] of changed) {
    it.effect(`another prompt is estimated by itself: ${what}`, () =>
      withEstimator((estimator) =>
        Effect.gen(function* () {
          yield* estimator.observe(request(first), usage(hidden))
          assert.isBelow(estimator.estimate(other).tokens, 2_000)
        })
      )
    )
  }

  it.effect("the longest beginning counts", () =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        yield* estimator.observe(request(first), usage(hidden))
        yield* estimator.observe(request(next), usage(hidden + 5_000))
        const longer = [...next, assistant("Yes."), user("More.")]
        assert.closeTo(estimator.estimate(request(longer)).tokens, hidden + 5_000, 40)
      })
    )
  )
})

describe("the answer of an observed prompt", () => {
  const thought = assistant([
    { type: "thinking", thinking: "Hm.", signature: "" },
    { type: "text", text: prose }
  ])

  it.effect("takes what upstream counted for it, thinking included", () =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        yield* estimator.observe(request(first), usage(hidden, 900))
        const grown = estimator.estimate(request([...first, thought, user("Go on.")])).tokens
        assert.closeTo(grown, hidden + 900 + estimator.message(user("Go on."), now).tokens, 2)
      })
    )
  )

  it.effect("is estimated where the count is a placeholder, or holds thinking that did not come back", () =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        for (const output of [1, 900]) {
          yield* estimator.observe(request(first), usage(hidden, output))
          const grown = estimator.estimate(request(next)).tokens
          assert.closeTo(grown, hidden + ofNew(estimator, next.slice(1)), 2)
        }
      })
    )
  )
})

describe("system prompt and tools", () => {
  const shell = { system: prose.repeat(20), tools: [{ name: "ls", description: prose.repeat(10) }] }

  it.effect("are known to every other conversation that has the same ones", () =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        const prior = estimator.estimate(request([user("Hello.")], shell)).tokens
        yield* estimator.observe(request([user("Hello.")], shell), usage(prior + 300))
        const other = estimator.estimate(request([user("Good day.")], shell)).tokens
        assert.closeTo(other, prior + 300, 10)
      })
    )
  )

  it.effect("are not learned from a usage that is about something else", () =>
    withEstimator((estimator) =>
      Effect.gen(function* () {
        const prior = estimator.estimate(request([user("Hello.")], shell)).tokens
        yield* estimator.observe(request([user("Hello.")], shell), usage(prior * 100))
        assert.closeTo(estimator.estimate(request([user("Good day.")], shell)).tokens, prior, 10)
      })
    )
  )
})
