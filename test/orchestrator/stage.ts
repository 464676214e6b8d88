import { assert } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { ContextManager } from "../../src/context/ContextManager.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import type { Content, ContentBlock } from "../../src/domain/Message.ts"
import type { AssistantMessage, MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { Orchestrator, type SendOptions, type Tool } from "../../src/orchestrator/Orchestrator.ts"
import { Settings } from "../../src/Settings.ts"
import { validate } from "../../src/testing/ApiRules.ts"
import { answer, makeWorld, type Overrides } from "../governor/world.ts"

/** An orchestrator over the real chat, context and governor, with the governor's fakes behind it. */
export const makeStage = (overrides: Overrides = {}) => {
  const world = makeWorld(overrides)
  const context = Layer.unwrap(
    Effect.map(Settings, ({ enabled }) => (enabled.context ? ContextManager.layer : ContextManager.layerOff))
  )
  /** With what stores conversations, and what searches them if anything does. */
  const layerWith = <A, R>(chat: Layer.Layer<A | ChatRepo, never, R>) =>
    Orchestrator.layer.pipe(
      Layer.provideMerge(context),
      Layer.provide(Summarizer.layer),
      Layer.provideMerge(chat),
      Layer.provideMerge(world.layer)
    )
  return { ...world, layerWith, layer: layerWith(ChatRepo.layerMemory) }
}

export type Stage = ReturnType<typeof makeStage>

export const conversation = Effect.gen(function* () {
  const repo = yield* ChatRepo
  return (yield* repo.create({ title: "t" })).id
})

export const send = Effect.fnUntraced(function* (id: string, content: Content, options?: SendOptions) {
  const orchestrator = yield* Orchestrator
  return yield* Stream.runCollect(orchestrator.send(id, content, options))
})

export const history = Effect.fnUntraced(function* (id: string) {
  const repo = yield* ChatRepo
  return yield* repo.messages(id, { after: -1, limit: 1_000 })
})

export const use = (id: string, name: string, input: unknown = {}): ContentBlock => ({
  type: "tool_use",
  id,
  name,
  input
})

export const callsTools = (...content: ReadonlyArray<ContentBlock>): AssistantMessage =>
  answer("", { content, stop_reason: "tool_use" })

/** The answers in order; the last one again and again. */
export const plays = (stage: Stage, ...answers: ReadonlyArray<AssistantMessage>): void => {
  stage.upstream.reply = (_, n) => answers[Math.min(n, answers.length - 1)] ?? answer("the end")
}

export const tool = (name: string, run: Tool["run"]): Tool => ({
  definition: { name, description: name, input_schema: { type: "object" } },
  run
})

/** Everything that was sent keeps the API's rules. */
export const assertLegal = (requests: ReadonlyArray<MessagesRequest>): void => {
  for (const request of requests) assert.deepStrictEqual(validate(request), [])
}
