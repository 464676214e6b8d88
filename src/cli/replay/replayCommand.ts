import { Console, Effect, Option } from "effect"
import { layer } from "./layer.ts"
import { type PolicyName, policyNames } from "./Policy.ts"
import { progress } from "./Progress.ts"
import { textReport } from "./report.ts"
import { replay } from "./run.ts"

export interface ReplayArguments {
  readonly paths: ReadonlyArray<string>
  readonly policy: PolicyName | "all"
  readonly model: Option.Option<string>
  readonly prefixTokens: number
  readonly json: boolean
}

/** `sluice replay`: plays the logs and prints what each policy would have cost. */
export const run = ({ json, model, paths, policy, prefixTokens }: ReplayArguments) =>
  replay({
    paths,
    policies: policy === "all" ? policyNames : [policy],
    model: Option.getOrUndefined(model),
    prefixTokens,
    onFile: progress(process.stderr)
  }).pipe(
    Effect.flatMap((result) => Console.log(json ? JSON.stringify(result) : textReport(result))),
    Effect.provide(layer)
  )
