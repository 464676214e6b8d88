import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect, Logger } from "effect"
import { report, teardown } from "./Failure.ts"
import { main } from "./Main.ts"

main.pipe(
  Effect.provide(NodeServices.layer),
  // Standard output belongs to what was asked for; `serve` writes its log there itself.
  Effect.provideService(Logger.LogToStderr, true),
  Effect.tapCause(report),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
