import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { MessageSearch } from "../../src/chat/MessageSearch.ts"
import { blocksOf, isToolResult } from "../../src/domain/Message.ts"
import { answer } from "../governor/world.ts"
import { assertLegal, callsTools, conversation, history, makeStage, plays, send, use } from "./stage.ts"

const filler = Array.from({ length: 400 }, (_, i) => ({
  role: i % 2 === 0 ? ("user" as const) : ("assistant" as const),
  content: `chatter ${i} ${"and so on ".repeat(30)}${i === 7 ? "A fox wears a purple hat. " : ""}${"and so on ".repeat(30)}`,
  tokens: 200
}))

describe("recall_history in a turn", () => {
  it.effect("finds word for word what is no longer in the context", () => {
    const stage = makeStage({ maxContextTokens: 12_000 })
    plays(
      stage,
      callsTools(use("r", "recall_history", { query: "purple fox", to_message: 100 })),
      answer("A purple one.")
    )
    const searching = MessageSearch.layerScan.pipe(Layer.provideMerge(ChatRepo.layerMemory))
    return Effect.gen(function* () {
      const id = yield* conversation
      yield* ChatRepo.use((repo) => repo.append(id, filler))
      yield* send(id, "What was that hat again?")
      const results = (yield* history(id)).flatMap(({ content }) => blocksOf(content)).filter(isToolResult)
      assert.lengthOf(results, 1)
      assert.match(String(results[0]?.content), /\[message 7, assistant, .*\]\n…[^\n]*A fox wears a purple hat\./)
      assert.strictEqual(stage.upstream.requests.length, 2)
      assertLegal(stage.upstream.requests)
      const [first] = stage.upstream.requests
      assert.include(JSON.stringify(first?.tools), "recall_history")
      assert.notInclude(JSON.stringify(first?.messages), "fox")
    }).pipe(Effect.provide(stage.layerWith(searching)))
  })
})
