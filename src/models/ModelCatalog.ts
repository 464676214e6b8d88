import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Context, Effect, FileSystem, Layer, Option, Schema } from "effect"
import { LRUCache } from "lru-cache"
import type { NanoUsd } from "../domain/Money.ts"
import type { Usage } from "../domain/Usage.ts"
import { Settings } from "../Settings.ts"
import type { Model, PriceOptions } from "./Model.ts"
import { makeLookup } from "./ModelLookup.ts"
import { builtInRows, type ModelRow, ModelRows, merge, noFamily } from "./ModelTable.ts"
import { price } from "./Pricing.ts"

export type { Model, PriceOptions, Prices, TokenizerGeneration } from "./Model.ts"

/** The user's own model file cannot be used. Ends the start. */
export class ModelsFileError extends Schema.TaggedError<ModelsFileError>()("ModelsFileError", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `MODELS_FILE=${JSON.stringify(this.path)} cannot be used: ${this.reason}. Mend the file or leave MODELS_FILE empty.`
  }
}

/** Ids come from clients: only so many are remembered, and only so many are warned about. */
const remembered = 1_000
const warnings = 100

const ModelsFile = Schema.fromJsonString(ModelRows)

const readRows = Effect.fn("ModelCatalog.readRows")(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  // What the system says: Effect's own message names only its method.
  const text = yield* Effect.mapError(fs.readFileString(path), (error) =>
    error.reason.cause instanceof Error ? error.reason.cause : error
  )
  return yield* Schema.decodeUnknownEffect(ModelsFile)(text, { onExcessProperty: "error" })
})

const usd = (nanoPerToken: number): string => `$${nanoPerToken / 1000}`

const warning = (asked: string, { family, prices }: Model): string =>
  `The price of model ${JSON.stringify(asked.slice(0, 100))} is not known: it is priced as the dearest ` +
  `${family === noFamily ? "of all" : `${family} model`} ` +
  `(${usd(prices.input)} in, ${usd(prices.output)} out per million tokens). Add it to MODELS_FILE.`

const make = (rows: ReadonlyArray<ModelRow>) => {
  const lookup = makeLookup(rows)
  const known = new LRUCache<string, Model>({ max: remembered })
  const warned = new Set<string>()

  const get = (id: string): Model => {
    const hit = known.get(id)
    if (hit !== undefined) return hit
    const model = lookup.find(id)
    if (id.length <= lookup.longestId) known.set(id, model)
    return model
  }

  const warnOnce = (id: string, model: Model): Effect.Effect<Model> => {
    const name = id.slice(0, lookup.longestId)
    if (!model.estimated || warned.has(name) || warned.size >= warnings) return Effect.succeed(model)
    warned.add(name)
    const last = warned.size === warnings ? " Further unknown models are not named in the log." : ""
    return Effect.as(Effect.logWarning(warning(id, model) + last), model)
  }

  return ModelCatalog.of({
    all: lookup.all,
    get,
    resolve: (id) => Effect.suspend(() => warnOnce(id, get(id))),
    price
  })
}

/** Prices, windows and limits of every model, from models.json and the user's own file. */
export class ModelCatalog extends Context.Service<
  ModelCatalog,
  {
    readonly all: ReadonlyArray<Model>
    /** Finds a model by id, alias or decorated id (Bedrock, Vertex, `[1m]`); an unknown one comes back `estimated`. Pure, memoised. */
    readonly get: (id: string) => Model
    /** `get`, and a warning in the log the first time a model without a known price is asked for. */
    readonly resolve: (id: string) => Effect.Effect<Model>
    /** Exact price of a usage, in nano-dollars (tier by prompt size, geo and speed applied; fractions rounded half up once, at the end). */
    readonly price: (model: Model, usage: Usage, options?: PriceOptions) => NanoUsd
  }
>()("sluice/models/ModelCatalog") {
  /** The models that Sluice ships, and nothing else. */
  static readonly layerDefault = Layer.sync(this, () => make(builtInRows))

  /** `layer`, reading the user's file through whatever `FileSystem` is there. */
  static readonly layerNoDeps = Layer.effect(
    this,
    Effect.gen(function* () {
      const path = Option.getOrUndefined((yield* Settings).modelsFile)
      if (path === undefined) return make(builtInRows)
      const own = yield* readRows(path).pipe(
        Effect.mapError((error) => new ModelsFileError({ path, reason: error.message.replace(/\s+/g, " ") }))
      )
      return make(merge(builtInRows, own))
    })
  )

  /** The models that Sluice ships, with the user's own (`Settings.modelsFile`) on top. Fails with `ModelsFileError`. */
  static readonly layer = this.layerNoDeps.pipe(Layer.provide(NodeFileSystem.layer))
}
