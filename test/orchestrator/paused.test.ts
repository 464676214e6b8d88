import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { answer } from "../governor/world.ts"
import { assertLegal, conversation, history, makeStage, plays, send } from "./stage.ts"

const search = { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "weather" } }
const found = { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] }
const paused = answer("", { content: [{ type: "text", text: "Looking." }, search], stop_reason: "pause_turn" })

describe("an answer that upstream pauses in its own tools", () => {
  it.effect("is continued where it stopped, and paid for twice", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      plays(
        stage,
        paused,
        answer("", { content: [found, { type: "text", text: "Rain." }] }),
        answer("You are welcome.")
      )
      const told = yield* send(id, "Will it rain?")
      const done = told.at(-1)
      assert.strictEqual(done?._tag === "Done" && done.settlements.length, 2)
      const [first, second] = stage.upstream.requests
      assert.deepStrictEqual(second?.messages, [
        ...(first?.messages ?? []),
        { role: "assistant", content: paused.content }
      ])
      yield* send(id, "Thanks.")
      assertLegal(stage.upstream.requests)
      assert.deepStrictEqual(stage.upstream.requests.at(-1)?.messages[1]?.content, [
        ...paused.content,
        found,
        { type: "text", text: "Rain." }
      ])
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("and that nobody continued leaves a conversation that goes on", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      plays(stage, paused, answer("Where were we?"))
      const error = yield* Effect.flip(send(id, "Will it rain?", { maxToolRounds: 1 }))
      assert.strictEqual(error._tag, "TooManyToolRounds")
      yield* send(id, "Well?")
      assert.strictEqual((yield* history(id)).length, 4)
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })
})
