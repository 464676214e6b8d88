import { Option } from "effect"
import type { SettingsShape } from "../Settings.ts"

/** What a limiter obeys. `null`: not limited. */
export interface Limits {
  /** False: everything is admitted at once and only counted. */
  readonly enforced: boolean
  readonly inputPerMinute: number
  readonly outputPerMinute: number | null
  readonly requestsPerMinute: number | null
  /** Of each tenant; beyond it requests fail with `TenantLimit` instead of waiting. */
  readonly tenantRequestsPerMinute: number | null
  readonly maxInFlight: number
  readonly maxQueued: number
  /** The share of one tenant against another's, above 0; 1 for everybody unless told, and where it is no such number. */
  readonly weight: (tenant: string) => number
}

/** A tenant may fill this much of the queue, so that another one's first request still finds a place. */
export const tenantShareOfQueue = 0.75

export const defaultLimits: Limits = {
  enforced: true,
  inputPerMinute: 400_000,
  outputPerMinute: null,
  requestsPerMinute: null,
  tenantRequestsPerMinute: null,
  maxInFlight: 64,
  maxQueued: 10_000,
  weight: () => 1
}

export const fromSettings = (settings: SettingsShape): Limits => ({
  ...defaultLimits,
  enforced: settings.enabled.rateLimit,
  inputPerMinute: settings.rateLimitTokensPerMinute,
  outputPerMinute: Option.getOrNull(settings.rateLimitOutputTokensPerMinute),
  requestsPerMinute: Option.getOrNull(settings.rateLimitRequestsPerMinute),
  maxInFlight: settings.maxConcurrentRequests
})

const number = new Intl.NumberFormat("en-US")

export const tooLargeFor = (input: number, limit: number, whose: string): string =>
  `The request takes about ${number.format(input)} input tokens, more than the ${number.format(limit)} a minute of ` +
  `${whose}: it could never be admitted. Send less context, or raise that limit.`

export const queueFull = (waiting: number, whose: string): string =>
  `${number.format(waiting)} requests of ${whose} wait already, and no more may. Try again later, or send fewer at once.`

export const tenantLimit = (tenant: string, perMinute: number): string =>
  `Tenant ${tenant} has used its ${number.format(perMinute)} requests of this minute. Try again later, or raise its limit.`

export const deadlinePassed = (millis: number): string =>
  `The request was not admitted within its deadline of ${number.format(millis)} ms. Give it more time, a higher priority, or a higher limit.`
