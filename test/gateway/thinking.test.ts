import { createHash } from "node:crypto"
import { assert, layer } from "@effect/vitest"
import { Effect } from "effect"
import { Database } from "../../src/chat/Database.ts"
import { validate } from "../../src/testing/ApiRules.ts"
import { body, frame, message, post, type Reply, tapped, Wiretap } from "./world.ts"

interface Block {
  readonly type: string
  readonly [field: string]: unknown
}
interface Turn {
  readonly role: "user" | "assistant"
  readonly content: string | ReadonlyArray<Block>
}

const settings = {
  maxContextTokens: 50_000,
  maxContextMessages: 200,
  recentMessagesFull: 6,
  midRangeMessages: 20,
  summaryModel: "none",
  gatewayContext: "compact" as const
}

const blocksOf = ({ content }: Turn): ReadonlyArray<Block> =>
  typeof content === "string" ? [{ type: "text", text: content }] : content

/** What upstream binds thinking to: everything before it but marks and thinking. */
const bindingOf = (system: unknown, before: ReadonlyArray<Turn>): string => {
  const bound = [system, before.map((turn) => [turn.role, blocksOf(turn).filter(({ type }) => type !== "thinking")])]
  const text = JSON.stringify(bound, (key, value) => (key === "cache_control" ? undefined : value))
  return createHash("sha256").update(text).digest("base64")
}

const firstForeign = (system: unknown, messages: ReadonlyArray<Turn>): string | undefined => {
  for (const [index, turn] of messages.entries()) {
    const at = blocksOf(turn).findIndex(
      ({ signature, type }) => type === "thinking" && signature !== bindingOf(system, messages.slice(0, index))
    )
    if (at >= 0) return `messages.${index}.content.${at}`
  }
  return undefined
}

/** An upstream that keeps thinking bound to what came before it, as the models with preserved thinking do. */
const binding: Reply = (response, { body: bytes }) => {
  const { messages, stream, system } = JSON.parse(bytes.toString())
  const refuse = (text: string) =>
    response
      .writeHead(400, { "content-type": "application/json" })
      .end(JSON.stringify({ type: "error", error: { type: "invalid_request_error", message: text } }))
  const foreign = firstForeign(system, messages)
  if (foreign !== undefined) {
    return refuse(`${foreign}: Invalid \`signature\` in \`thinking\` block: it is bound to a different conversation.`)
  }
  if (validate(JSON.parse(bytes.toString())).length > 0) return refuse("structure")
  const thinking = { type: "thinking", thinking: "", signature: bindingOf(system, messages) }
  const text = { type: "text", text: `So much for ${messages.length}. ${"The next step is this one. ".repeat(20)}` }
  if (stream !== true) {
    return response
      .writeHead(200, { "content-type": "application/json" })
      .end(JSON.stringify(message({ content: [thinking, text] })))
  }
  response.writeHead(200, { "content-type": "text/event-stream" })
  response.write(frame({ type: "message_start", message: message({ content: [], stop_reason: null }) }))
  for (const [index, content_block] of [thinking, text].entries()) {
    response.write(frame({ type: "content_block_start", index, content_block }))
    response.write(frame({ type: "content_block_stop", index }))
  }
  const end = { stop_reason: "end_turn", stop_sequence: null }
  response.write(frame({ type: "message_delta", delta: end, usage: { output_tokens: 5 } }))
  return response.end(frame({ type: "message_stop" }))
}

const system = [{ type: "text", text: "You plan." }]
const question = (n: number): Turn => ({ role: "user", content: `Question ${n}: ${"what comes next? ".repeat(25)}` })

/** Asks on with all that was said, as clients do, until `turns` questions are answered. */
const talk = Effect.fnUntraced(function* (turns: number, headers: Record<string, string>) {
  const messages: Array<Turn> = []
  for (let n = 0; n < turns; n++) {
    messages.push(question(n))
    const answer = yield* post(body({ system, messages }), headers)
    assert.strictEqual(answer.status, 200, `question ${n}: ${answer.text.slice(0, 300)}`)
    messages.push({ role: "assistant", content: answer.json.content })
  }
  return messages
})

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(tapped({ settings }))("thinking that upstream bound to a condensed history", (it) => {
    const begin = Effect.map(Wiretap, (tap) => {
      tap.reply.current = binding
      return tap
    })

    it.effect("of a conversation that is no longer known goes on without it, whole and streamed", () =>
      Effect.gen(function* () {
        const tap = yield* begin
        const messages = yield* talk(40, { "x-sluice-conversation": "known" })
        assert.notInclude(JSON.stringify(messages.slice(0, 2)), "Earlier messages")
        const short = messages.slice(0, -30)
        // To a gateway that has been started anew every conversation is a new one.
        for (const [name, stream] of [
          ["whole", false],
          ["streamed", true]
        ] as const) {
          for (const n of [1, 2]) {
            const asked = [...short, ...(n === 1 ? [] : [{ role: "assistant" as const, content: "So." }, question(99)])]
            const all = n === 1 ? [...asked, question(98)] : [...short, question(98), ...asked.slice(short.length)]
            const before = tap.seen.length
            const answer = yield* post(body({ system, messages: all, stream }), { "x-sluice-conversation": name })
            assert.strictEqual(answer.status, 200, answer.text.slice(0, 300))
            assert.notInclude(answer.text, "Invalid")
            // Refused once, and never again.
            assert.isAtMost(tap.seen.length - before, n === 1 ? 2 : 1)
          }
        }
      })
    )

    it.effect("of a conversation that goes back to before its last compaction is left out at once", () =>
      Effect.gen(function* () {
        const tap = yield* begin
        const messages = yield* talk(40, { "x-sluice-conversation": "back" })
        const before = tap.seen.length
        const back = [...messages.slice(0, 50), { role: "user", content: "Let us take another way from here." }]
        const answer = yield* post(body({ system, messages: back }), { "x-sluice-conversation": "back" })
        assert.strictEqual(answer.status, 200, answer.text.slice(0, 300))
        assert.strictEqual(tap.seen.length - before, 1)
      })
    )

    it.effect("is upstream's to refuse where the context is not managed", () =>
      Effect.gen(function* () {
        const tap = yield* begin
        const messages = yield* talk(40, { "x-sluice-conversation": "off" })
        const before = tap.seen.length
        const asked = body({ system, messages: [...messages, question(98)] })
        const answer = yield* post(asked, { "x-sluice-conversation": "off", "x-sluice-context": "off" })
        assert.deepStrictEqual([answer.status, tap.seen.length - before], [400, 1])
      })
    )
  })
})
