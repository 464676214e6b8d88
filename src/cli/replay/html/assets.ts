import { createRequire } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"
import { Effect, FileSystem, Schema } from "effect"

/** The report could not be made. */
export class ReportError extends Schema.TaggedError<ReportError>()("ReportError", { message: Schema.String }) {}

/** What the page is made of, as texts. */
export interface Assets {
  readonly licence: string
  readonly css: ReadonlyArray<string>
  /** Classic scripts, in order. */
  readonly scripts: ReadonlyArray<string>
}

const read = Effect.fnUntraced(function* (url: URL) {
  const fs = yield* FileSystem.FileSystem
  return yield* fs
    .readFileString(fileURLToPath(url))
    .pipe(
      Effect.mapError(
        (error) =>
          new ReportError({ message: `A part of the report is missing: ${error.message}. Install sluice again.` })
      )
    )
})

/**
 * Reads the chart library from where it is installed, and the page from beside this file: plain scripts, whose types
 * page/tsconfig.json checks, so that sources and build serve the same bytes.
 */
export const readAssets = Effect.gen(function* () {
  const uplot = yield* Effect.try({
    try: () => pathToFileURL(createRequire(import.meta.url).resolve("uplot/package.json")),
    catch: () => new ReportError({ message: "The chart library (uplot) is not installed. Run npm install." })
  })
  const all = (urls: ReadonlyArray<URL>) => Effect.forEach(urls, read)
  const assets: Assets = {
    licence: yield* read(new URL("LICENSE", uplot)),
    css: yield* all([new URL("dist/uPlot.min.css", uplot), new URL("page/page.css", import.meta.url)]),
    scripts: yield* all([
      new URL("dist/uPlot.iife.min.js", uplot),
      new URL("page/charts.js", import.meta.url),
      new URL("page/page.js", import.meta.url)
    ])
  }
  return assets
})
