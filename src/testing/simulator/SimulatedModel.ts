import records from "../../models/models.json" with { type: "json" }
import { scaleOf } from "./Tokenizer.ts"

/** What the simulator has to know of a model; from models.json, not from Sluice's own catalog, which it helps to test. */
export interface SimulatedModel {
  readonly id: string
  /** Tokens of this model per o200k token. */
  readonly scale: number
  readonly minCacheable: number
  readonly maxOutput: number
  readonly contextWindow: number
  /** Models of one class share their rate limits. */
  readonly limitClass: string
}

interface Record {
  readonly id: string
  readonly aliases: ReadonlyArray<string>
  readonly tokenizer: string
  readonly contextWindow: number
  readonly maxOutput?: number | null
  readonly minCacheableTokens?: number | null
  readonly minCacheableTokensAssumed?: number
}

const limitClass = (id: string): string => {
  const [, family = id, major = "", minor = ""] =
    /claude-(fable|mythos|opus|sonnet|haiku)-(\d)(?:-(\d)(?!\d))?/.exec(id) ?? []
  if (family === "fable" || family === "mythos" || major === "4") return `${family}-${major}`
  return `${family}-${major}-${minor}`
}

const model = (record: Record): SimulatedModel => ({
  id: record.id,
  scale: scaleOf(record.tokenizer === "old" ? "old" : "new"),
  minCacheable: record.minCacheableTokens ?? record.minCacheableTokensAssumed ?? 1_024,
  maxOutput: record.maxOutput ?? 128_000,
  contextWindow: record.contextWindow,
  limitClass: limitClass(record.id)
})

/** All models, retired ones too, so that old logs can be driven through. */
export const simulatedModels: ReadonlyArray<SimulatedModel> = (records as ReadonlyArray<Record>).map(model)

const byName = new Map(
  (records as ReadonlyArray<Record>).flatMap((record) => {
    const known = model(record)
    return [record.id, ...record.aliases].map((name) => [name, known] as const)
  })
)

export const simulatedModel = (name: string): SimulatedModel | undefined => byName.get(name)
