import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Effect, Stream } from "effect"
import { App, ChatRepo, Orchestrator } from "../../src/index.ts"

const program = Effect.gen(function* () {
  const chat = yield* ChatRepo
  const orchestrator = yield* Orchestrator
  const { id } = yield* chat.create({ title: "With Effect" })
  const last = yield* Stream.runLast(orchestrator.send(id, "Say hello."))
  yield* Console.log(last)
})

program.pipe(Effect.provide(App.layer), NodeRuntime.runMain)
