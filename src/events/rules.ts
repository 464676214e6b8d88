import type { Alert, AlertKind, Event } from "../domain/Event.ts"
import { promptTokens } from "../domain/Usage.ts"
import type { Bounds } from "./Hysteresis.ts"
import { Recent } from "./Recent.ts"

/** One condition to watch: what figure an event gives it, and when that figure is worth an alert. */
export interface Rule {
  readonly kind: AlertKind
  readonly severity: Alert["severity"]
  readonly bounds: Bounds
  /** The figure after this event; nothing when the event says nothing about it. `at`: milliseconds since the epoch. */
  readonly figure: (event: Event, at: number) => number | undefined
  readonly message: (figure: number) => string
}

export interface RuleOptions {
  readonly costThresholdUsd: number
  readonly timeZone: string
}

type UsageEvent = Extract<Event, { readonly _tag: "Usage" }>

const percent = (figure: number): string => `${Math.round(figure * 10) / 10} %`
const onUsage =
  (figure: (event: UsageEvent, at: number) => number | undefined) =>
  (event: Event, at: number): number | undefined =>
    event._tag === "Usage" ? figure(event, at) : undefined

const tokensPerMinute: Rule = {
  kind: "rate_limit_warning",
  severity: "warning",
  bounds: { raise: 85, clear: 75 },
  figure: (event) => (event._tag === "Limiter" && event.limit > 0 ? (100 * event.used) / event.limit : undefined),
  message: (figure) => `Input tokens are at ${percent(figure)} of the limit per minute; more will wait in the queue.`
}

const queueAge: Rule = {
  kind: "queue_age",
  severity: "warning",
  bounds: { raise: 30_000, clear: 10_000 },
  figure: (event) => (event._tag === "Limiter" ? event.oldestMillis : undefined),
  message: (figure) =>
    `The oldest waiting request has waited ${Math.round(figure / 1_000)} s. Raise the rate limits, or send less.`
}

const quarterHour = 900_000

/** The calendar day of a moment; time zones move by quarters of an hour, so one look per quarter is enough. */
const dayIn = (timeZone: string): ((at: number) => string) => {
  const format = new Intl.DateTimeFormat("en-CA", { timeZone, year: "numeric", month: "2-digit", day: "2-digit" })
  let quarter = Number.NaN
  let day = ""
  return (at) => {
    if (Math.floor(at / quarterHour) !== quarter) {
      quarter = Math.floor(at / quarterHour)
      day = format.format(at)
    }
    return day
  }
}

const cost = ({ costThresholdUsd, timeZone }: RuleOptions): Rule => {
  const dayOf = dayIn(timeZone)
  let today = ""
  let spent = 0
  return {
    kind: "cost_threshold",
    severity: "warning",
    bounds: { raise: 90, clear: 80 },
    figure: onUsage(({ costNanoUsd }, at) => {
      const day = dayOf(at)
      if (day !== today) spent = 0
      today = day
      spent += costNanoUsd
      return costThresholdUsd > 0 ? (100 * spent) / (costThresholdUsd * 1e9) : undefined
    }),
    message: (figure) =>
      `Today's cost is at ${percent(figure)} of COST_ALERT_THRESHOLD_USD ($${costThresholdUsd}). Set a budget to stop it.`
  }
}

const hitRate = (): Rule => {
  const recent = new Recent({ size: 200, least: 50 })
  return {
    kind: "cache_hit_rate_low",
    severity: "info",
    bounds: { raise: 20, clear: 25 },
    figure: onUsage(({ cache }) => (cache === "bypass" ? undefined : recent.push(cache === "miss" ? 0 : 1, 1))),
    message: (figure) =>
      `Only ${percent(figure)} of the last requests were answered from the cache. Are they ever identical? Is CACHE_TTL_MINUTES long enough?`
  }
}

const mostConversations = 10_000

const trimming = (): Rule => {
  const recent = new Recent({ size: 100, least: 20 })
  const compacted = new Set<string>()
  return {
    kind: "context_trimmed_often",
    severity: "warning",
    bounds: { raise: 50, clear: 40 },
    figure: (event) => {
      if (event._tag === "Compaction") {
        if (compacted.size >= mostConversations) compacted.clear()
        compacted.add(event.conversation)
        return undefined
      }
      if (event._tag !== "Usage" || event.conversation === null) return undefined
      return recent.push(compacted.delete(event.conversation) ? 1 : 0, 1)
    },
    message: (figure) =>
      `${percent(figure)} of the last requests had their context compacted. Raise MAX_CONTEXT_TOKENS.`
  }
}

const upstreamErrors = (): Rule => {
  const recent = new Recent({ size: 50, least: 10 })
  return {
    kind: "upstream_errors",
    severity: "critical",
    bounds: { raise: 20, clear: 10 },
    figure: onUsage(({ cache, status }) =>
      cache === "hit" || cache === "coalesced" ? undefined : recent.push(status === "error" ? 1 : 0, 1)
    ),
    message: (figure) => `${percent(figure)} of the last requests failed upstream. Check its status page and the log.`
  }
}

/** A shorter history is not worth reducing, in tokens. */
const worthReducing = 10_000

const reduction = (): Rule => {
  const recent = new Recent({ size: 100, least: 20 })
  return {
    kind: "reduction_low",
    severity: "warning",
    bounds: { raise: 15, clear: 20 },
    figure: onUsage(({ cache, conversation, rawTokens, status, usage }) => {
      const sent = status === "ok" && (cache === "miss" || cache === "bypass")
      if (!sent || conversation === null || rawTokens < worthReducing) return undefined
      return recent.push(Math.max(0, rawTokens - promptTokens(usage)), rawTokens)
    }),
    message: (figure) => `Only ${percent(figure)} token reduction in long conversations. Lower MAX_CONTEXT_TOKENS.`
  }
}

/** Every rule, with memory of its own; all figures are bounded in memory. */
export const allRules = (options: RuleOptions): ReadonlyArray<Rule> => [
  tokensPerMinute,
  queueAge,
  cost(options),
  hitRate(),
  trimming(),
  upstreamErrors(),
  reduction()
]
