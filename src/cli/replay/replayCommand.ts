import { Console, Effect, FileSystem, Option } from "effect"
import { ReportError } from "./html/assets.ts"
import { Chronicle } from "./html/Chronicle.ts"
import { htmlReport } from "./html/htmlReport.ts"
import { layer } from "./layer.ts"
import type { PolicyName } from "./Policy.ts"
import { progress } from "./Progress.ts"
import { textReport } from "./report.ts"
import { makeBench, type ReplayOptions, replay } from "./run.ts"
import { sweep } from "./sweep.ts"
import { sweepReport } from "./sweepReport.ts"

export interface ReplayArguments {
  readonly paths: ReadonlyArray<string>
  /** By default `sluice`, and `all` where a comparison is to be drawn. */
  readonly policy: Option.Option<PolicyName | "all">
  readonly model: Option.Option<string>
  readonly prefixTokens: number
  readonly json: boolean
  readonly sweep: boolean
  /** The file to write the report to. */
  readonly html: Option.Option<string>
}

const optionsOf = ({ html, model, paths, policy, prefixTokens }: ReplayArguments): ReplayOptions => {
  const chosen = Option.getOrElse(policy, () => (Option.isSome(html) ? "all" : "sluice"))
  return {
    paths,
    policies: chosen === "all" ? "all" : [chosen],
    model: Option.getOrUndefined(model),
    prefixTokens,
    onFile: progress(process.stderr)
  }
}

/** Plays with every request written down, and writes the pictures. */
const draw = Effect.fnUntraced(function* (options: ReplayOptions, file: string) {
  const { meter } = yield* makeBench(options.model, options.prefixTokens)
  const chronicle = new Chronicle(meter.model)
  const record: ReplayOptions["record"] = ({ name }, policy) => chronicle.record(name, policy)
  const result = yield* replay({ ...options, record })
  const text = yield* htmlReport(result, chronicle.charts(), options.prefixTokens)
  const fs = yield* FileSystem.FileSystem
  yield* fs
    .writeFileString(file, text)
    .pipe(Effect.mapError((error) => new ReportError({ message: `${file} cannot be written: ${error.message}` })))
  yield* Console.error(`The report is in ${file} (${Math.ceil(text.length / 1_000)} KB).`)
  return result
})

const compare = Effect.fnUntraced(function* (flags: ReplayArguments) {
  const options = optionsOf(flags)
  const result = yield* Option.match(flags.html, {
    onNone: () => replay(options),
    onSome: (file) => draw(options, file)
  })
  return flags.json ? JSON.stringify(result) : textReport(result)
})

const search = Effect.fnUntraced(function* (flags: ReplayArguments) {
  if (Option.isSome(flags.html)) {
    return yield* new ReportError({ message: "--html shows a comparison of policies: leave out --sweep." })
  }
  const trials = yield* sweep(optionsOf(flags))
  return flags.json ? JSON.stringify(trials) : sweepReport(trials)
})

/** `sluice replay`: plays the logs and prints what each policy would have cost, or the best settings for them. */
export const run = (flags: ReplayArguments) =>
  (flags.sweep ? search(flags) : compare(flags)).pipe(Effect.flatMap(Console.log), Effect.provide(layer))
