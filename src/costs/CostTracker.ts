import { Context, Effect, Layer, Option } from "effect"
import type { SqlClient } from "effect/sql"
import { Tenants } from "../access/Tenants.ts"
import { fromUsd, type NanoUsd, zero } from "../domain/Money.ts"
import type { Events } from "../events/Events.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { Settings, type SettingsShape } from "../Settings.ts"
import type { BudgetRule } from "./Budgets.ts"
import type { TrackerOptions } from "./Desk.ts"
import { Ledger } from "./Ledger.ts"
import type {
  BudgetExceeded,
  CostLine,
  CostReport,
  CostReserve,
  CostSettle,
  CostState,
  DayRange,
  LedgerError,
  ReportRange
} from "./Records.ts"
import { noTotals } from "./Totals.ts"
import { makeTracker } from "./Tracker.ts"

export type { BudgetRule, BudgetScope } from "./Budgets.ts"
export {
  BudgetExceeded,
  type CostGroup,
  type CostLine,
  type CostReport,
  type CostReserve,
  type CostSettle,
  type CostState,
  type CostTotals,
  type DayRange,
  LedgerEntry,
  LedgerError,
  LedgerIntent,
  type ReportRange,
  Saved
} from "./Records.ts"

/** Counts every nano-dollar: reserve before the call, settle once after it, refuse when a budget is used up. */
export class CostTracker extends Context.Service<
  CostTracker,
  {
    /**
     * Takes the estimate from the budgets and writes the intent, which is on disk when this returns (unless the ledger is in
     * trouble, which is announced). Over budget or paused → `BudgetExceeded`, nothing was sent. Interrupted, it holds nothing.
     */
    readonly reserve: (request: CostReserve) => Effect.Effect<void, BudgetExceeded>
    /**
     * Books the real usage; idempotent by request id, reserved or not. Answers the exact cost, on disk when this returns.
     * Never fails: a ledger that is down is retried, visibly, and holds nobody up.
     */
    readonly settle: (request: CostSettle) => Effect.Effect<NanoUsd>
    /** Gives the reservation back: nothing was billed. */
    readonly release: (requestId: string) => Effect.Effect<void>
    /** Records what was not spent (a cache hit): a row with no usage and no cost. Answers the saving; does not wait for the disk. */
    readonly saved: (request: CostSettle) => Effect.Effect<NanoUsd>
    readonly state: Effect.Effect<CostState>
    /** The state as one tenant may see it: its own totals, reservations and budget, in `thresholdPercent` its own part. */
    readonly stateFor: (tenant: string) => Effect.Effect<CostState, LedgerError>
    /** Sums over whole days, today by default, of one tenant or all. O(rows of the range). */
    readonly report: (range: ReportRange) => Effect.Effect<CostReport, LedgerError>
    /** The same by day, model, tenant, agent and conversation together: in order of days, at most 10,000 lines. */
    readonly lines: (range: DayRange) => Effect.Effect<ReadonlyArray<CostLine>, LedgerError>
    /** Refuses every request until somebody resumes, also over a restart. */
    readonly pause: (reason: string) => Effect.Effect<void>
    /** Ends a pause, and grants every budget that is used up its limit once more, until the day ends. */
    readonly resume: (by: string) => Effect.Effect<void>
  }
>()("sluice/costs/CostTracker") {
  /** The tracker over the given ledger, with options of its own instead of Settings. */
  static readonly layerWith = (
    options: TrackerOptions
  ): Layer.Layer<CostTracker, LedgerError, Events | Ledger | ModelCatalog> =>
    Layer.effect(CostTracker, makeTracker(options))

  /** Counts nothing, refuses nothing. */
  static readonly layerOff: Layer.Layer<CostTracker> = Layer.sync(CostTracker, () => makeOff())

  /** As Settings say (COST_*), over the given ledger. */
  static readonly layerNoDeps: Layer.Layer<CostTracker, LedgerError, Events | Ledger | ModelCatalog | Settings> =
    Layer.unwrap(
      Effect.gen(function* () {
        const settings = yield* Settings
        const catalog = yield* ModelCatalog
        const { dailyBudget } = yield* Tenants
        const { costAlertThresholdUsd, costBudgets, costDailyBudgetUsd, costTimeZone, enabled } = settings
        if (!enabled.costTracking) return CostTracker.layerOff
        return CostTracker.layerWith({
          timeZone: costTimeZone,
          threshold: fromUsd(costAlertThresholdUsd),
          dailyBudget: Option.getOrNull(Option.map(costDailyBudgetUsd, fromUsd)),
          budgets: [{ scope: "tenant", limit: zero, limitFor: dailyBudget }, ...costBudgets.map(ruleOf(catalog))],
          enforced: enabled.budget
        })
      })
    )

  /** With the ledger in the database, and its journal in DATA_DIR. */
  static readonly layer: Layer.Layer<CostTracker, LedgerError, Events | ModelCatalog | Settings | SqlClient.SqlClient> =
    this.layerNoDeps.pipe(Layer.provide(Ledger.layer))

  /** With a ledger in this process only. For tests. */
  static readonly layerMemory: Layer.Layer<CostTracker, LedgerError, Events | ModelCatalog | Settings> =
    this.layerNoDeps.pipe(Layer.provide(Ledger.layerMemory))
}

/** A budget of COST_BUDGETS; a model may be named by an alias. */
const ruleOf =
  (catalog: ModelCatalog["Service"]) =>
  ({ name, scope, usd }: SettingsShape["costBudgets"][number]): BudgetRule => {
    if (name === "*") return { scope, limit: fromUsd(usd) }
    return { scope, key: scope === "model" ? catalog.get(name).id : name, limit: fromUsd(usd) }
  }

const nothing: CostState = {
  enabled: false,
  day: "",
  today: noTotals,
  total: noTotals,
  reservedNanoUsd: zero,
  thresholdNanoUsd: zero,
  thresholdPercent: 0,
  dailyBudgetNanoUsd: null,
  sharedBudget: false,
  paused: false,
  resetsAt: 0,
  unwritten: 0
}

const makeOff = () =>
  CostTracker.of({
    reserve: () => Effect.void,
    settle: () => Effect.succeed(zero),
    release: () => Effect.void,
    saved: () => Effect.succeed(zero),
    state: Effect.succeed(nothing),
    stateFor: () => Effect.succeed(nothing),
    report: ({ from = "", to = "" }) =>
      Effect.succeed({
        from,
        to,
        total: noTotals,
        byDay: [],
        byModel: [],
        byAgent: [],
        byTenant: [],
        byConversation: []
      }),
    lines: () => Effect.succeed([]),
    pause: () => Effect.void,
    resume: () => Effect.void
  })
