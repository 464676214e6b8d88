import { hash } from "node:crypto"
import { type NanoUsd, nanoUsd, sum, zero } from "../domain/Money.ts"
import { countOf, zero as noUsage, promptTokens, type Usage } from "../domain/Usage.ts"
import type { ModelCatalog } from "../models/ModelCatalog.ts"
import type { Subject } from "./Budgets.ts"
import type { Day } from "./Days.ts"
import type { Rows } from "./LedgerStore.ts"
import { makePricing } from "./Pricing.ts"
import type { CostReserve, CostSettle, LedgerEntry, LedgerIntent, Saved } from "./Records.ts"
import { noSaved } from "./Totals.ts"

const longest = 200

export const costOf = (rows: Rows): NanoUsd => sum(...rows.map((row) => row.costNanoUsd))

/** Text that every database takes and every index holds. A longer one keeps its beginning and stays itself by its hash. */
export const clean = (text: string): string => {
  if (text.length <= longest && !text.includes("\u0000") && text.isWellFormed()) return text
  const plain = text.replaceAll("\u0000", "\ufffd").toWellFormed()
  return plain.length <= longest
    ? plain
    : `${plain.slice(0, longest - 23)}~${hash("sha256", plain, "base64url").slice(0, 22)}`
}

/** Whole and not negative, whatever was handed in. */
const whole = (n: number): number => (n > 0 ? Math.min(Math.round(n), Number.MAX_SAFE_INTEGER) : 0)

const wholeUsage = (usage: Usage): Usage => ({
  input: countOf(usage.input),
  cacheWrite5m: countOf(usage.cacheWrite5m),
  cacheWrite1h: countOf(usage.cacheWrite1h),
  cacheRead: countOf(usage.cacheRead),
  output: countOf(usage.output)
})

export interface Moment {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly day: Day
}

/** Turns what the governor says into what the ledger holds. */
export const makeEntries = (catalog: ModelCatalog["Service"]) => {
  const pricing = makePricing(catalog)

  const subjectOf = ({ caller, model }: CostReserve | CostSettle): Subject => ({
    tenant: clean(caller.tenant),
    agent: clean(caller.agent),
    conversation: caller.conversation === undefined ? null : clean(caller.conversation),
    model: clean(model)
  })

  const rowOf = (request: CostSettle, { at, day }: Moment) => ({
    ...subjectOf(request),
    requestId: clean(request.requestId),
    part: 0,
    at: whole(at),
    day: day.name,
    rawTokens: countOf(request.rawTokens)
  })

  const savedOf = (request: CostSettle, usage: Usage, cost: NanoUsd): Saved => {
    const model = catalog.get(request.model)
    const kept = countOf(request.rawTokens) - promptTokens(usage)
    const reads = catalog.price(model, { ...noUsage, cacheRead: Math.abs(kept) })
    const asked = request.requestedModel === undefined ? undefined : catalog.get(request.requestedModel)
    const { geo, speed } = request
    return {
      cache: zero,
      context: nanoUsd(kept < 0 ? -reads : reads),
      routing: asked === undefined ? zero : sum(catalog.price(asked, usage, { geo, speed }), nanoUsd(-cost))
    }
  }

  const intent = (request: CostReserve, { at, day }: Moment): LedgerIntent => ({
    ...subjectOf(request),
    requestId: clean(request.requestId),
    at: whole(at),
    day: day.name,
    reservedNanoUsd: nanoUsd(whole(request.estimate))
  })

  /** What upstream billed: a row for each model that worked on it. */
  const settled = (given: CostSettle, moment: Moment): Rows => {
    const request = { ...given, usage: wholeUsage(given.usage) }
    const { costNanoUsd, rows } = pricing.bill(request)
    const saved = savedOf(request, request.usage, costNanoUsd)
    const [first, ...helpers] = rows
    const common = { ...rowOf(request, moment), status: given.partial === true ? "partial" : "settled" } as const
    const main: LedgerEntry = {
      ...common,
      ...first,
      model: clean(first.model),
      savedNanoUsd: sum(saved.cache, saved.context, saved.routing),
      saved
    }
    const others = helpers.map(
      (row, index): LedgerEntry => ({
        ...common,
        ...row,
        part: index + 1,
        model: clean(row.model),
        rawTokens: 0,
        savedNanoUsd: zero,
        saved: noSaved
      })
    )
    return [main, ...others]
  }

  /** What upstream would have billed, had the cache not answered. */
  const hit = (given: CostSettle, moment: Moment): LedgerEntry => {
    const request = { ...given, usage: wholeUsage(given.usage) }
    const { costNanoUsd, rows } = pricing.bill(request)
    return {
      ...rowOf(request, moment),
      usage: noUsage,
      webSearches: 0,
      costNanoUsd: zero,
      savedNanoUsd: costNanoUsd,
      saved: { ...noSaved, cache: costNanoUsd },
      status: "saved",
      estimated: rows.some((row) => row.estimated)
    }
  }

  return { intent, settled, hit, subjectOf }
}

/** What an intent that a dead process left open is booked as: all of its reservation, for want of better knowledge. */
export const unsettled = ({ reservedNanoUsd, ...intent }: LedgerIntent): LedgerEntry => ({
  ...intent,
  part: 0,
  usage: noUsage,
  webSearches: 0,
  costNanoUsd: reservedNanoUsd,
  savedNanoUsd: zero,
  saved: noSaved,
  rawTokens: 0,
  status: "unsettled",
  estimated: true
})
