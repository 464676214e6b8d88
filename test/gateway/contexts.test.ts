import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { validate } from "../../src/testing/ApiRules.ts"
import { answering, body, frame, frames, message, model, post, type Reply, tapped, Wiretap } from "./world.ts"

interface Turn {
  readonly role: "user" | "assistant"
  readonly content: unknown
}

const say = (n: number, name: string): ReadonlyArray<Turn> => [
  { role: "user", content: `${name}, question ${n}: ${"what comes next in the plan? ".repeat(20)}` },
  { role: "assistant", content: [{ type: "text", text: `Answer ${n}: ${"the next step is this one. ".repeat(20)}` }] }
]

const history = (turns: number, name: string): Array<Turn> =>
  Array.from({ length: turns }, (_, n) => say(n, name))
    .flat()
    .concat({ role: "user", content: `${name}, last question of ${turns}` })

const compact = { "x-sluice-context": "compact" }
const request = (messages: ReadonlyArray<Turn>, more: object = {}) => ({
  ...body({ system: "You plan.", ...more }),
  messages
})

const sent = Effect.map(Wiretap, ({ seen }) => seen.at(-1)?.body.toString() ?? "")
const parsed = Effect.map(sent, (text) => JSON.parse(text))

/** Upstream reads from its cache what it had before, or has none. */
const billing = (cached: boolean, reply: { current: Reply }) => {
  let before = 0
  reply.current = (response, seen) => {
    const { body } = seen
    const tokens = Math.round(body.length / 3)
    const read = cached ? before : 0
    before = tokens
    const usage = { input_tokens: tokens - read, cache_read_input_tokens: read, output_tokens: 5 }
    if (JSON.parse(body.toString()).stream !== true) return answering({ usage })(response, seen)
    const [, ...rest] = frames
    const start = { type: "message_start", message: message({ content: [], stop_reason: null, usage }) }
    response.writeHead(200, { "content-type": "text/event-stream" }).end([frame(start), ...rest].join(""))
  }
}

const settings = {
  maxContextTokens: 8_000,
  maxContextMessages: 60,
  recentMessagesFull: 6,
  midRangeMessages: 20,
  summaryModel: "none"
}

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(tapped({ settings }))("the context of a client that sends its whole history", (it) => {
    it.effect("stays as it came while it fits", () =>
      Effect.gen(function* () {
        const asked = JSON.stringify(request(history(3, "Ann")), null, 1)
        yield* post(asked, compact)
        assert.strictEqual(yield* sent, asked)
      })
    )

    it.effect("is condensed when it does not, and the rest of the request is kept", () =>
      Effect.gen(function* () {
        const asked = request(history(60, "Bob"), { metadata: { user_id: "u" }, odd: [1] })
        const answer = yield* post(asked, compact)
        assert.strictEqual(answer.status, 200)
        assert.isAbove(Number(answer.headers.get("x-sluice-saved-tokens")), 1_000)
        const got = yield* parsed
        assert.isBelow(got.messages.length, 40)
        assert.deepStrictEqual([got.model, got.odd, got.metadata], [model, [1], { user_id: "u" }])
        assert.include(JSON.stringify(got.messages.at(-1)), "last question of 60")
        assert.deepStrictEqual(validate(got), [])
        const off = yield* post(asked, { "x-sluice-context": "off" })
        assert.strictEqual(off.headers.get("x-sluice-saved-tokens"), "0")
        assert.deepStrictEqual(yield* parsed, asked)
      })
    )

    it.effect("grows at its end only, until the next compaction", () =>
      Effect.gen(function* () {
        billing(true, (yield* Wiretap).reply)
        let messages = history(60, "Cy")
        yield* post(request(messages), compact)
        let before = (yield* parsed).messages
        for (let n = 0; n < 5; n++) {
          messages = [...messages, { role: "assistant", content: `So: ${n}` }, { role: "user", content: `And ${n}?` }]
          // Clients move their breakpoint to the newest message, which turns a text into a block.
          const marked = messages.map((message, index) =>
            index === messages.length - 1
              ? { ...message, content: [{ type: "text", text: message.content, cache_control: { type: "ephemeral" } }] }
              : message
          )
          yield* post(request(marked), compact)
          const now = (yield* parsed).messages
          assert.deepStrictEqual(now.slice(0, before.length), before)
          assert.strictEqual(now.length, before.length + 2)
          before = now
        }
      })
    )

    it.effect("that takes another way from the middle on is another conversation", () =>
      Effect.gen(function* () {
        const messages = history(60, "Dee")
        yield* post(request(messages), compact)
        const first = (yield* parsed).messages
        yield* post(request([...messages.slice(0, -1), { role: "user", content: "Something else." }]), compact)
        const fork = (yield* parsed).messages
        assert.deepStrictEqual(fork.slice(0, 1), first.slice(0, 1))
        assert.include(JSON.stringify(fork.at(-1)), "Something else.")
        yield* post(request([...messages.slice(0, 5)]), compact)
        assert.deepStrictEqual((yield* parsed).messages, messages.slice(0, 5))
      })
    )

    it.effect("is nobody else's: another key begins anew", () =>
      Effect.gen(function* () {
        const messages = history(60, "Eve")
        yield* post(request(messages), compact)
        const mine = yield* sent
        yield* post(request(messages), { ...compact, "x-api-key": "sk-ant-other", "x-sluice-cache": "off" })
        assert.notInclude(yield* sent, "undefined")
        assert.strictEqual(JSON.parse(yield* sent).messages.length, JSON.parse(mine).messages.length)
      })
    )

    it.effect("two requests at once do not disturb each other", () =>
      Effect.gen(function* () {
        const messages = history(60, "Fay")
        const answers = yield* Effect.all(
          [0, 1, 2, 3, 4, 5].map((n) =>
            post(request([...messages, ...say(n, "Fay"), { role: "user", content: `${n}` }]), compact)
          ),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          answers.map(({ status }) => status),
          [200, 200, 200, 200, 200, 200]
        )
        const { seen } = yield* Wiretap
        for (const { body } of seen.slice(-6)) assert.deepStrictEqual(validate(JSON.parse(body.toString())), [])
      })
    )

    it.effect("that upstream manages, or that ends with a prefill, is left alone", () =>
      Effect.gen(function* () {
        const messages = history(60, "Gil")
        const cases = [
          { messages: [...messages, { role: "assistant" as const, content: "Well," }] },
          { messages, more: { thread: { previous_message_id: "msg_1" } } },
          { messages, more: { context_management: { edits: [{ type: "compact_20260112" }] } } }
        ]
        for (const { messages, more } of cases) {
          const asked = JSON.stringify(request(messages, more))
          yield* post(asked, compact)
          assert.strictEqual(yield* sent, asked)
        }
      })
    )

    it.effect("that cannot be made to fit is refused in upstream's words", () =>
      Effect.gen(function* () {
        const answer = yield* post(request(history(2, "Hal"), { system: "rule ".repeat(20_000) }), compact)
        assert.strictEqual(answer.status, 400)
        assert.strictEqual(answer.json.error.type, "invalid_request_error")
        assert.match(answer.json.error.message, /^prompt is too long: \d+ tokens > 8000 maximum/)
      })
    )

    it.effect("keeps thinking only where it is still bound to what came before", () =>
      Effect.gen(function* () {
        const tap = yield* Wiretap
        tap.reply.current = answering({})
        const messages = history(60, "Ida").map((message, n) =>
          message.role === "assistant"
            ? {
                ...message,
                content: [
                  { type: "thinking", thinking: `thought ${n}`, signature: "c2lnbmVk" },
                  { type: "text", text: `Answer ${n}. ${"Words and words. ".repeat(20)}` }
                ]
              }
            : message
        )
        yield* post(request(messages), compact)
        const got = yield* parsed
        assert.notInclude(JSON.stringify(got.messages), '"thinking"')
        assert.deepStrictEqual(validate(got), [])
      })
    )
  })

  it.layer(tapped({ settings: { ...settings, gatewayContext: "compact" } }))("GATEWAY_CONTEXT=compact", (it) => {
    it.effect("does it for everybody who does not say otherwise", () =>
      Effect.gen(function* () {
        const asked = request(history(60, "Jo"))
        yield* post(asked)
        assert.isBelow((yield* parsed).messages.length, 40)
        yield* post(asked, { "x-sluice-context": "off" })
        assert.deepStrictEqual(yield* parsed, asked)
      })
    )
  })

  const roomy = { ...settings, maxContextTokens: 500_000, maxContextMessages: 10_000 }
  it.layer(tapped({ settings: roomy }))("what upstream bills", (it) => {
    /** Questions that went as they came, before the first that did not. */
    const asTheyCame = Effect.fnUntraced(function* (name: string, cached: boolean, stream: boolean) {
      const tap = yield* Wiretap
      billing(cached, tap.reply)
      const whole = history(160, name)
      for (let turns = 1; turns < 160; turns++) {
        const asked = request(whole.slice(0, 2 * turns - 1), { stream })
        yield* post(asked, compact)
        if ((yield* parsed).messages.length < asked.messages.length) return turns
      }
      return 160
    })

    it.effect("decides how long reading on pays, streamed or whole", () =>
      Effect.gen(function* () {
        for (const stream of [false, true]) {
          const cached = yield* asTheyCame(`Lea ${stream}`, true, stream)
          const uncached = yield* asTheyCame(`Max ${stream}`, false, stream)
          assert.isBelow(uncached, cached)
        }
      })
    )
  })

  it.layer(tapped({ settings: { ...settings, gatewayContext: "compact", enabled: { context: false } } }))(
    "CONTEXT_ENABLED=false",
    (it) => {
      it.effect("leaves every context alone, whatever is asked", () =>
        Effect.gen(function* () {
          const asked = request(history(60, "Kim"))
          yield* post(asked, compact)
          assert.deepStrictEqual(yield* parsed, asked)
        })
      )
    }
  )
})
