import { Console, Effect, Option } from "effect"
import { layer } from "./layer.ts"
import type { PolicyName } from "./Policy.ts"
import { progress } from "./Progress.ts"
import { textReport } from "./report.ts"
import { replay } from "./run.ts"
import { sweep } from "./sweep.ts"
import { sweepReport } from "./sweepReport.ts"

export interface ReplayArguments {
  readonly paths: ReadonlyArray<string>
  readonly policy: PolicyName | "all"
  readonly model: Option.Option<string>
  readonly prefixTokens: number
  readonly json: boolean
  readonly sweep: boolean
}

const compare = ({ json, model, paths, policy, prefixTokens }: ReplayArguments) =>
  replay({
    paths,
    policies: policy === "all" ? "all" : [policy],
    model: Option.getOrUndefined(model),
    prefixTokens,
    onFile: progress(process.stderr)
  }).pipe(Effect.map((result) => (json ? JSON.stringify(result) : textReport(result))))

const search = ({ json, model, paths, prefixTokens }: ReplayArguments) =>
  sweep({ paths, model: Option.getOrUndefined(model), prefixTokens, onFile: progress(process.stderr) }).pipe(
    Effect.map((trials) => (json ? JSON.stringify(trials) : sweepReport(trials)))
  )

/** `sluice replay`: plays the logs and prints what each policy would have cost, or the best settings for them. */
export const run = (flags: ReplayArguments) =>
  (flags.sweep ? search(flags) : compare(flags)).pipe(Effect.flatMap(Console.log), Effect.provide(layer))
