import type { NonEmptyReadonlyArray } from "effect/Array"
import type { ApiUsage } from "../domain/MessagesRequest.ts"
import { type NanoUsd, nanoUsd, sum } from "../domain/Money.ts"
import { add, countOf, fromApi, type Usage } from "../domain/Usage.ts"
import type { ModelCatalog } from "../models/ModelCatalog.ts"
import type { CostSettle } from "./Records.ts"

/** What one model did for a request, and its price. */
export interface PriceRow {
  readonly model: string
  readonly usage: Usage
  readonly webSearches: number
  readonly costNanoUsd: NanoUsd
  /** The model's price is a guess. */
  readonly estimated: boolean
}

export interface Bill {
  /** The model that was asked first, then whoever helped. */
  readonly rows: NonEmptyReadonlyArray<PriceRow>
  readonly costNanoUsd: NanoUsd
}

type Billed = Pick<CostSettle, "apiUsage" | "geo" | "model" | "partial" | "speed" | "usage">

/** 10 USD per 1,000. */
const webSearchNanoUsd = 10_000_000
/** No answer is made with more. */
const maxSearches = 1_000_000

interface Iteration extends ApiUsage {
  readonly type: string
  readonly model?: string | null
}

const isIteration = (u: unknown): u is Iteration =>
  typeof u === "object" && u !== null && "type" in u && typeof u.type === "string"

const text = (u: unknown): string | undefined => (typeof u === "string" ? u : undefined)

const webSearchesOf = (usage: ApiUsage | undefined): number => {
  const tools = usage?.server_tool_use
  return typeof tools === "object" && tools !== null && "web_search_requests" in tools
    ? Math.min(maxSearches, countOf(tools.web_search_requests))
    : 0
}

const counters = ["input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens"] as const

const addsUpTo = (top: ApiUsage, parts: ReadonlyArray<Iteration>): boolean =>
  counters.every((field) => parts.reduce((total, part) => total + countOf(part[field]), 0) === countOf(top[field]))

/** A model that declined before it said anything is listed when another took over, and is free. */
const isDeclined = (parts: ReadonlyArray<Iteration>) => {
  const served = parts.find(({ type }) => type === "fallback_message")
  return (part: Iteration): boolean =>
    served !== undefined && part.type === "message" && part.model !== served.model && countOf(part.output_tokens) === 0
}

/**
 * The iterations to price one by one, or none where the whole is priced at once: they count only when they add up to
 * the top level, which leaves out compactions always (it is zero when there was nothing else) and advisors as it pleases.
 */
const billedIterations = (usage: ApiUsage | undefined): ReadonlyArray<Iteration> => {
  if (usage === undefined || !Array.isArray(usage.iterations)) return []
  const parts = usage.iterations.filter(isIteration)
  const declined = isDeclined(parts)
  const within = parts.filter(({ type }) => type !== "compaction")
  const messages = within.filter(({ type }) => type !== "advisor_message")
  const readings = [messages, within].flatMap((reading) => [reading, reading.filter((part) => !declined(part))])
  const onlyCompactions = within.length === 0 && addsUpTo(usage, [])
  return onlyCompactions || readings.some((reading) => reading.length > 0 && addsUpTo(usage, reading))
    ? parts.filter((part) => !declined(part))
    : []
}

const merged = (rows: ReadonlyArray<PriceRow>): ReadonlyArray<PriceRow> => {
  const byModel = new Map<string, PriceRow>()
  for (const row of rows) {
    const before = byModel.get(row.model)
    byModel.set(
      row.model,
      before === undefined
        ? row
        : {
            ...row,
            usage: add(before.usage, row.usage),
            webSearches: before.webSearches + row.webSearches,
            costNanoUsd: sum(before.costNanoUsd, row.costNanoUsd)
          }
    )
  }
  return [...byModel.values()]
}

/**
 * What upstream charges for a request: each iteration at its own model's rates (the long-prompt tier is its own too)
 * when they reconcile with the top level, else the top level; geo and speed as upstream reported them; web searches on
 * top. Exact in nano-dollars, rounded half up once per iteration.
 */
export const makePricing = (catalog: ModelCatalog["Service"]) => {
  const priced = (id: string, usage: Usage, webSearches: number, request: Billed): PriceRow => {
    const model = catalog.get(id)
    const geo = text(request.apiUsage?.inference_geo) ?? request.geo
    const speed = text(request.apiUsage?.speed) ?? request.speed
    const costNanoUsd = sum(catalog.price(model, usage, { geo, speed }), nanoUsd(webSearches * webSearchNanoUsd))
    return { model: model.id, usage, webSearches, costNanoUsd, estimated: model.estimated }
  }

  const bill = (request: Billed): Bill => {
    const searches = webSearchesOf(request.apiUsage)
    const iterations = request.partial === true ? [] : billedIterations(request.apiUsage)
    const parts = iterations.map((part) => priced(part.model ?? request.model, fromApi(part), 0, request))
    const [first, ...rest] = merged(parts)
    if (first === undefined) {
      const whole = priced(request.model, request.usage, searches, request)
      return { rows: [whole], costNanoUsd: whole.costNanoUsd }
    }
    const withSearches: PriceRow = {
      ...first,
      webSearches: searches,
      costNanoUsd: sum(first.costNanoUsd, nanoUsd(searches * webSearchNanoUsd))
    }
    const rows = [withSearches, ...rest] as const
    return { rows, costNanoUsd: sum(...rows.map((row) => row.costNanoUsd)) }
  }

  return { bill }
}
