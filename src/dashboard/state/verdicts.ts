import type { Alert, CacheMetrics, CostMetrics, Money, TokenMetrics } from "../api/types.ts"
import { duration, percent, share, short, usd } from "./format.ts"

export type Tone = "good" | "warn" | "bad" | "quiet"

/** The answer to one of the questions that the first page is for. */
export interface Verdict {
  readonly tone: Tone
  readonly answer: string
  readonly detail: string
}

export const toneOf = (value: number, warn: number, bad: number): Tone =>
  value >= bad ? "bad" : value >= warn ? "warn" : "good"

/** The limit of the minute that is nearest, in percent of it. */
const fullest = (minute: TokenMetrics["currentMinute"]) => {
  const { limit, outputLimit, outputUsed, percent: used, requestsLimit, requestsUsed } = minute
  const bounds = [{ name: "tokens", used, limit }]
  if (outputLimit) bounds.push({ name: "output tokens", used: (100 * outputUsed) / outputLimit, limit: outputLimit })
  if (requestsLimit) bounds.push({ name: "requests", used: (100 * requestsUsed) / requestsLimit, limit: requestsLimit })
  return bounds.reduce((most, bound) => (bound.used > most.used ? bound : most))
}

export const limited = ({ currentMinute, enabled, queue }: TokenMetrics): Verdict => {
  const { name, used, limit } = fullest(currentMinute)
  if (!enabled) return { tone: "quiet", answer: "Not watched", detail: "Token management is switched off." }
  if (queue.length > 0) {
    const detail = `The last in line waits about ${duration(queue.expectedWaitMillis)}.`
    return { tone: "bad", answer: `${short(queue.length)} waiting`, detail }
  }
  const detail = `${percent(used)} of ${short(limit)} ${name} in the last minute.`
  if (used >= 85) return { tone: "warn", answer: "Almost", detail }
  return { tone: "good", answer: used >= 60 ? "Not yet" : "No", detail }
}

const ratio = (part: Money, whole: Money): number => (whole.nanoUsd > 0 ? (100 * part.nanoUsd) / whole.nanoUsd : 0)

export const broke = (costs: CostMetrics, alerts: ReadonlyArray<Alert>): Verdict => {
  const { budget, enabled, paused, threshold, today } = costs
  if (!enabled) return { tone: "quiet", answer: "Not counted", detail: "COST_TRACKING_ENABLED is false." }
  if (paused) return { tone: "bad", answer: "Paused", detail: "Requests are refused until somebody resumes." }
  const refusing = alerts.find(({ kind }) => kind === "budget_paused")
  if (refusing !== undefined) return { tone: "bad", answer: "Refusing", detail: refusing.message }
  const bound = budget ?? threshold
  const spent = ratio(today.cost, bound)
  const name = budget === null ? "alert threshold" : "daily budget"
  const detail = `${usd(today.cost.usd)} of the ${name} of ${usd(bound.usd)}.`
  if (spent >= 100) return { tone: "bad", answer: budget === null ? "Above threshold" : "Used up", detail }
  return { tone: toneOf(spent, 80, 100), answer: spent >= 80 ? "Soon" : "No", detail }
}

export const healthy = ({ contextWindows, raw, reduction, sent }: TokenMetrics): Verdict => {
  const fullest = Math.max(0, ...contextWindows.map(({ percentOfLimit }) => percentOfLimit))
  if (contextWindows.length === 0) {
    return { tone: "quiet", answer: "No conversations", detail: "The gateway's requests carry their own context." }
  }
  const detail = `Fullest window ${percent(fullest)}; ${share(reduction)} less sent (${short(sent)} of ${short(raw)} tokens).`
  if (fullest >= 100) return { tone: "bad", answer: "Full", detail }
  return { tone: toneOf(fullest, 90, 100), answer: fullest >= 90 ? "Nearly full" : "Yes", detail }
}

export const saved = (costs: CostMetrics, cache: CacheMetrics, tokens: TokenMetrics): Verdict => {
  const detail = `${usd(costs.today.saved.usd)} of it today. ${share(cache.hitRate)} answered from the cache, ${share(Math.max(0, tokens.reduction))} of prompt tokens not sent.`
  return { tone: costs.saved.nanoUsd > 0 ? "good" : "quiet", answer: usd(costs.saved.usd), detail }
}
