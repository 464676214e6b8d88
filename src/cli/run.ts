import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import { report, teardown } from "./Failure.ts"
import { main } from "./Main.ts"

main.pipe(
  Effect.provide(NodeServices.layer),
  Effect.tapCause(report),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
