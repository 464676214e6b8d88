import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { ClaudeError, Rejected } from "../../src/claude/ClaudeError.ts"
import { ContextManager } from "../../src/context/ContextManager.ts"
import { hasThinking } from "../../src/context/Shrink.ts"
import type { Event } from "../../src/domain/Event.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Events } from "../../src/events/Events.ts"
import { answer, type Overrides } from "../governor/world.ts"
import { conversation, history, makeStage, send, tool } from "./stage.ts"

const refusal = (message: string) =>
  new ClaudeError({
    reason: new Rejected({
      status: 400,
      body: { type: "error", error: { type: "invalid_request_error", message } },
      headers: {},
      requestId: null
    })
  })

const thinking = { type: "thinking", thinking: "hm", signature: "bound elsewhere" }
const thoughtful = answer("", { content: [thinking, { type: "text", text: "done" }] })

describe("a history that upstream refuses", () => {
  it.effect("is sent once more without thinking; storage keeps it", () => {
    const stage = makeStage()
    stage.upstream.reply = ({ messages }, n) =>
      n === 0
        ? thoughtful
        : messages.some((m) => hasThinking(m.content))
          ? refusal("Invalid `signature` in `thinking` block")
          : answer("fine")
    return Effect.gen(function* () {
      const id = yield* conversation
      yield* send(id, "first")
      const events = yield* send(id, "second")
      assert.strictEqual(events.at(-1)?._tag, "Done")
      assert.strictEqual(stage.upstream.requests.length, 3)
      assert.isTrue((yield* history(id)).some((m) => hasThinking(m.content)))
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("is sent without thinking that was bound to a condensed context, after that was switched off", () => {
    const stage = makeStage({ enabled: { context: false } })
    stage.upstream.reply = ({ messages }, n) => {
      if (n === 0) return answer("", { content: [thinking] })
      if (n === 1) return thoughtful
      if (messages.some((m) => JSON.stringify(m).includes("bound elsewhere"))) return refusal("Invalid `signature`")
      return answer("", {
        content: [
          { ...thinking, signature: `bound here ${n}` },
          { type: "text", text: "fine" }
        ]
      })
    }
    return Effect.gen(function* () {
      const id = yield* conversation
      for (const question of ["first", "second"]) yield* send(id, question)
      assert.strictEqual((yield* send(id, "third")).at(-1)?._tag, "Done")
      assert.strictEqual(stage.upstream.requests.length, 4)
      assert.strictEqual((yield* send(id, "fourth")).at(-1)?._tag, "Done")
      assert.strictEqual(stage.upstream.requests.length, 5)
      const last = stage.upstream.requests.at(-1)?.messages ?? []
      assert.isTrue(last.some((m) => JSON.stringify(m).includes("bound here")))
      assert.isTrue(last.every(({ content }) => content.length > 0))
      assert.isTrue(JSON.stringify(yield* history(id)).includes("bound elsewhere"))
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("is not sent again and again, nor for another reason", () => {
    const stage = makeStage()
    let words = "Invalid `signature` in `thinking` block"
    stage.upstream.reply = (_, n) => (n === 0 ? thoughtful : refusal(words))
    return Effect.gen(function* () {
      const id = yield* conversation
      yield* send(id, "first")
      assert.strictEqual((yield* Effect.flip(send(id, "second")))._tag, "ClaudeError")
      assert.strictEqual(stage.upstream.requests.length, 3)
      assert.strictEqual((yield* Effect.flip(send(id, "third")))._tag, "ClaudeError")
      assert.strictEqual(stage.upstream.requests.length, 4)
      words = "max_tokens: must be greater than 0"
      yield* Effect.flip(send(id, "fourth"))
      assert.strictEqual(stage.upstream.requests.length, 5)
    }).pipe(Effect.provide(stage.layer))
  })
})

describe("a prompt cache that should have served", () => {
  const usage = (read: number, written: number) => ({
    input_tokens: 10,
    output_tokens: 5,
    cache_read_input_tokens: read,
    cache_creation_input_tokens: written
  })

  const missesDuring = Effect.fnUntraced(function* <A, E, R>(turns: Effect.Effect<A, E, R>) {
    const events = yield* Events
    const seen: Array<Event> = []
    yield* Effect.forkScoped(
      Stream.runForEach(events.stream, (event) => Effect.sync(() => seen.push(event))),
      { startImmediately: true }
    )
    yield* turns
    yield* Effect.yieldNow
    return seen.filter((event) => event._tag === "PromptCacheMiss")
  }, Effect.scoped)

  const missesOf = (
    replies: ReadonlyArray<ReturnType<typeof usage>>,
    tools: ReadonlyArray<string>,
    overrides: Overrides = {}
  ) => {
    const stage = makeStage(overrides)
    stage.upstream.reply = (_, n) => answer(`answer ${n}`, { usage: replies[n] ?? {} })
    const turns = Effect.gen(function* () {
      const id = yield* conversation
      for (const name of tools)
        yield* send(id, `question for ${name}`, { tools: [tool(name, () => Effect.succeed("ok"))] })
    })
    return missesDuring(turns).pipe(Effect.provide(stage.layer))
  }

  it.effect("says nothing while it serves", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* missesOf([usage(0, 5_000), usage(5_000, 100)], ["a", "a"]), [])
    })
  )

  it.effect("names what changed, and what that cost", () =>
    Effect.gen(function* () {
      const [miss] = yield* missesOf([usage(0, 5_000), usage(0, 5_100)], ["a", "b"])
      assert.deepInclude(miss, {
        cause: "tools",
        expectedTokens: 5_010,
        readTokens: 0,
        costNanoUsd: nanoUsd(5_010 * 2_400)
      })
      const [other] = yield* missesOf([usage(0, 5_000), usage(0, 5_100)], ["a", "a"])
      assert.deepInclude(other, { cause: "messages" })
    })
  )

  it.effect("is watched also where answers are not kept", () =>
    Effect.gen(function* () {
      const replies = [usage(0, 5_000), usage(0, 5_100)]
      const [miss] = yield* missesOf(replies, ["a", "b"], { enabled: { responseCache: false } })
      assert.deepInclude(miss, { cause: "tools", expectedTokens: 5_010 })
    })
  )

  it.effect("is what the context reckons with, also where answers are not kept", () => {
    const savingsAfter = (read: number) => {
      const stage = makeStage({ enabled: { responseCache: false } })
      stage.upstream.reply = (_, n) => answer("fine", { usage: usage(n === 0 ? 0 : read, 5_000 - read) })
      return Effect.gen(function* () {
        const id = yield* conversation
        for (const n of [1, 2, 3]) yield* send(id, `question ${n}: ${"and why? ".repeat(300)}`)
        const prepared = yield* ContextManager.use((context) => context.preview(id, { model: "claude-sonnet-5-5" }))
        return prepared.decision.savesNanoUsd
      }).pipe(Effect.provide(stage.layer))
    }
    return Effect.gen(function* () {
      assert.notStrictEqual(yield* savingsAfter(0), yield* savingsAfter(5_000))
    })
  })

  it.effect("believes upstream's own diagnosis, which it asks for by the previous message", () => {
    const stage = makeStage()
    const diagnostics = { cache_miss_reason: { type: "system_changed", cache_missed_input_tokens: 5_000 } }
    stage.upstream.reply = (_, n) =>
      answer("fine", n === 0 ? { id: "msg_first", usage: usage(0, 5_000) } : { usage: usage(0, 5_100), diagnostics })
    return Effect.gen(function* () {
      const id = yield* conversation
      const [miss] = yield* missesDuring(Effect.andThen(send(id, "one"), send(id, "two")))
      assert.deepInclude(miss, { cause: "system" })
      assert.deepStrictEqual(
        stage.upstream.requests.map(({ diagnostics: asked }) => asked),
        [{ previous_message_id: null }, { previous_message_id: "msg_first" }]
      )
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("is not missed where a refused history had to be sent with other bytes", () => {
    const stage = makeStage()
    stage.upstream.reply = ({ messages }, n) =>
      n === 0
        ? { ...thoughtful, usage: usage(0, 5_000) }
        : messages.some((m) => hasThinking(m.content))
          ? refusal("Invalid `signature` in `thinking` block")
          : answer("fine", { usage: usage(0, 5_100) })
    return Effect.gen(function* () {
      const id = yield* conversation
      assert.deepStrictEqual(yield* missesDuring(Effect.andThen(send(id, "one"), send(id, "two"))), [])
      assert.strictEqual(stage.upstream.requests.length, 3)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("is not missed behind a compaction whose request failed", () => {
    const stage = makeStage({ maxContextMessages: 4, recentMessagesFull: 2 })
    stage.upstream.reply = (_, n) =>
      n === 2
        ? refusal("max_tokens: must be greater than 0")
        : answer("fine", { usage: usage(n === 1 ? 5_000 : 0, 5_000) })
    return Effect.gen(function* () {
      const id = yield* conversation
      yield* send(id, "one")
      yield* send(id, "two")
      const failed = Effect.flip(send(id, "three"))
      assert.deepStrictEqual(yield* missesDuring(Effect.andThen(failed, send(id, "four"))), [])
      assert.strictEqual((yield* ContextManager.use((context) => context.stats(id))).compactions, 1)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("says so when the entry was only too old", () => {
    const stage = makeStage()
    stage.upstream.reply = () => answer("fine", { usage: usage(0, 5_000) })
    return Effect.gen(function* () {
      const id = yield* conversation
      const later = Effect.andThen(TestClock.adjust("6 minutes"), send(id, "two"))
      const [miss] = yield* missesDuring(Effect.andThen(send(id, "one"), later))
      assert.deepInclude(miss, { cause: "expired" })
    }).pipe(Effect.provide(stage.layer))
  })
})
