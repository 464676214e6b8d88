import { Console, Effect, FileSystem, Option, Path } from "effect"
import { notBoth } from "../Misuse.ts"
import { print } from "../print.ts"
import { because } from "./files.ts"
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

const unwritable = (file: string, why: string) => new ReportError({ message: `${file} cannot be written: ${why}.` })

/** A replay may take minutes: what would fail at its end is said before it. */
const checkWritable = Effect.fnUntraced(function* (file: string) {
  if (file.endsWith(".jsonl"))
    return yield* unwritable(file, "it is named like a log. Choose a name that ends in .html")
  const fs = yield* FileSystem.FileSystem
  const { dirname, resolve } = yield* Path.Path
  const folder = dirname(resolve(file))
  yield* Effect.mapError(fs.access(folder, { writable: true }), (error) => unwritable(file, because(error)))
  const isFolder = yield* fs.stat(file).pipe(
    Effect.map(({ type }) => type === "Directory"),
    Effect.orElseSucceed(() => false)
  )
  if (isFolder) return yield* unwritable(file, "it is a folder")
})

/** Plays with every request written down, and writes the pictures. */
const draw = Effect.fnUntraced(function* (options: ReplayOptions, file: string) {
  yield* checkWritable(file)
  const { meter } = yield* makeBench(options.model, options.prefixTokens)
  const chronicle = new Chronicle(meter.model)
  const record: ReplayOptions["record"] = ({ name }, policy) => chronicle.record(name, policy)
  const result = yield* replay({ ...options, record })
  const text = yield* htmlReport(result, chronicle.charts(), options.prefixTokens)
  const fs = yield* FileSystem.FileSystem
  yield* Effect.mapError(fs.writeFileString(file, text), (error) => unwritable(file, because(error)))
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
  yield* notBoth(["--sweep", true], ["--html", Option.isSome(flags.html)])
  yield* notBoth(["--sweep", true], ["--policy", Option.isSome(flags.policy)])
  const trials = yield* sweep(optionsOf(flags))
  return flags.json ? JSON.stringify(trials) : sweepReport(trials)
})

/** `sluice replay`: plays the logs and prints what each policy would have cost, or the best settings for them. */
export const run = (flags: ReplayArguments) =>
  Effect.gen(function* () {
    yield* print(yield* flags.sweep ? search(flags) : compare(flags))
  }).pipe(Effect.provide(layer))
