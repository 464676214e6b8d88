import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import { makeCacheKey } from "../../src/cache/CacheKey.ts"
import type { Message } from "../../src/domain/Message.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { messages, request, reversedCopy, user } from "./requests.ts"

const ephemeral = { type: "ephemeral", ttl: "1h" }
const tools = [{ name: "read", description: "Reads", input_schema: { type: "object" } }]
const fresh = (r: MessagesRequest, tenant = "t", betas?: ReadonlyArray<string>) => makeCacheKey()(r, tenant, betas)
const conversation = (n: number): ReadonlyArray<Message> => Array.from({ length: n }, (_, i) => user(`message ${i}`))

describe("what does not matter", () => {
  it.prop(
    "which objects hold the content, the order of their keys, and whether the key was computed before",
    [messages, Arbitrary.schema(Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60 }))))],
    ([all, prefixes]) => {
      const key = makeCacheKey()
      for (const length of prefixes) key(request({ messages: all.slice(0, length) }), "t")
      const copy = reversedCopy(request({ messages: all })) as MessagesRequest
      assert.strictEqual(key(request({ messages: all }), "t"), fresh(copy))
      assert.strictEqual(key(copy, "t"), fresh(copy))
    },
    { arbitrary: { runs: 200 } }
  )

  it("stream, breakpoints anywhere the API takes them, and a lone text written as a block", () => {
    const plain = request({
      system: "Be brief.",
      tools,
      messages: [user("Hi"), { role: "assistant", content: "Yes?" }]
    })
    const marked = request({
      stream: true,
      cache_control: ephemeral,
      system: [{ type: "text", text: "Be brief.", cache_control: ephemeral }],
      tools: tools.map((tool) => ({ ...tool, cache_control: ephemeral })),
      messages: [
        { role: "user", content: [{ type: "text", text: "Hi", cache_control: ephemeral }] },
        { role: "assistant", content: [{ cache_control: ephemeral, type: "text", text: "Yes?" }] }
      ]
    })
    assert.strictEqual(fresh(marked), fresh(plain))
  })

  it("a breakpoint inside a tool result", () => {
    const result = (extra: object) =>
      request({
        messages: [
          {
            role: "user",
            content: [
              { type: "tool_result", tool_use_id: "a", content: [{ type: "text", text: "x", ...extra }], ...extra }
            ]
          }
        ]
      })
    assert.strictEqual(fresh(result({ cache_control: ephemeral })), fresh(result({})))
  })

  it("the order and repetition of betas, and fields that are undefined", () => {
    assert.strictEqual(fresh(request(), "t", ["b", "a", "b"]), fresh(request(), "t", ["a", "b"]))
    assert.strictEqual(fresh(request({ temperature: undefined })), fresh(request()))
  })
})

describe("what matters", () => {
  const base = request({ system: "s", tools, messages: conversation(40) })
  const variants: Record<string, () => string> = {
    tenant: () => fresh(base, "u"),
    betas: () => fresh(base, "t", ["context-1m-2025-08-07"]),
    model: () => fresh({ ...base, model: "claude-haiku-5-5" }),
    max_tokens: () => fresh({ ...base, max_tokens: 1025 }),
    temperature: () => fresh({ ...base, temperature: 0 }),
    thinking: () => fresh({ ...base, thinking: { type: "enabled", budget_tokens: 2000 } }),
    "an unknown field": () => fresh({ ...base, from_the_future: null }),
    system: () => fresh({ ...base, system: "S" }),
    "no system": () => fresh(request({ tools, messages: conversation(40) })),
    tools: () => fresh({ ...base, tools: [{ ...tools[0], name: "write" }] }),
    "the order of tools": () => fresh({ ...base, tools: [{ name: "x" }, { name: "y" }] }),
    "the other order of tools": () => fresh({ ...base, tools: [{ name: "y" }, { name: "x" }] }),
    "the first message": () => fresh({ ...base, messages: [user("another"), ...conversation(40).slice(1)] }),
    "the last message": () => fresh({ ...base, messages: [...conversation(39), user("another")] }),
    "one message more": () => fresh({ ...base, messages: conversation(41) }),
    "one message less": () => fresh({ ...base, messages: conversation(39) }),
    "the order of messages": () => fresh({ ...base, messages: conversation(40).toReversed() }),
    role: () => fresh({ ...base, messages: [...conversation(39), { role: "assistant", content: "message 39" }] })
  }

  it("everything else: all of these are different requests", () => {
    const keys = [fresh(base), ...Object.values(variants).map((variant) => variant())]
    assert.lengthOf(new Set(keys), keys.length)
    for (const key of keys) assert.match(key, /^[0-9a-f]{64}$/)
  })

  it("`cache_control` as data in a tool's input or schema", () => {
    const use = (input: object) =>
      request({ messages: [{ role: "assistant", content: [{ type: "tool_use", id: "a", name: "b", input }] }] })
    assert.notStrictEqual(fresh(use({ cache_control: "no-store" })), fresh(use({})))
    const schema = (properties: object) => request({ tools: [{ name: "b", input_schema: { properties } }] })
    assert.notStrictEqual(fresh(schema({ cache_control: {} })), fresh(schema({})))
  })

  it("a parameter of any name", () => {
    const odd = (value: number) => JSON.parse(`{"__proto__":{"n":${value}}}`)
    assert.notStrictEqual(fresh(request(odd(1))), fresh(request(odd(2))))
    assert.notStrictEqual(fresh(request(odd(1))), fresh(request()))
  })

  it("numbers, however they are written; where two of them are one in JavaScript, there is no key", () => {
    const asking = (number: string) => request(JSON.parse(`{"seed":${number}}`))
    assert.strictEqual(fresh(asking("1")), fresh(asking("1.0")))
    assert.strictEqual(fresh(asking("1")), fresh(asking("1e0")))
    assert.notStrictEqual(fresh(asking("9007199254740991")), fresh(asking("9007199254740990")))
    for (const lost of ["9007199254740993", "-9007199254740992", "1e30", "1e400"]) {
      assert.throws(() => fresh(asking(lost)), RangeError)
    }
  })

  it("one long text and two texts that look alike", () => {
    const two = request({
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "a" },
            { type: "text", text: "b" }
          ]
        }
      ]
    })
    const one = request({ messages: [user('a"},{"text":"b')] })
    assert.notStrictEqual(fresh(two), fresh(one))
  })
})

describe("cost", () => {
  const counted = (texts: number) => {
    let read = 0
    const message = (i: number): Message => ({
      role: "user",
      get content() {
        read++
        return `message ${i}`
      }
    })
    const all = Array.from({ length: texts }, (_, i) => message(i))
    return { all, read: () => read }
  }

  it("a message is read once, however often and in whichever conversation its key is asked for", () => {
    const { all, read } = counted(1000)
    const key = makeCacheKey()
    for (let n = 1; n <= 1000; n++) key(request({ messages: all.slice(0, n) }), "t")
    const once = read()
    key(request({ messages: all }), "t")
    key(request({ messages: all.slice(500) }), "t")
    assert.isAtMost(once, 2000)
    assert.strictEqual(read(), once)
  })

  it("many conversations that differ in their first message only do not slow each other down", () => {
    const shared = conversation(320)
    const key = makeCacheKey()
    const of = (i: number) => request({ messages: [user(`start ${i}`), ...shared] })
    const keys = Array.from({ length: 50 }, (_, i) => key(of(i), "t"))
    assert.lengthOf(new Set(keys), 50)
    assert.deepStrictEqual(
      keys,
      Array.from({ length: 50 }, (_, i) => fresh(structuredClone(of(i))))
    )
  })
})
