#!/usr/bin/env node
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Effect } from "effect"
import { report, teardown } from "./cli/Failure.ts"
import { main } from "./cli/Main.ts"

main.pipe(
  Effect.provide(NodeServices.layer),
  Effect.tapCause(report),
  NodeRuntime.runMain({ disableErrorReporting: true, teardown })
)
