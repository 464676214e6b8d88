import type { Effect } from "effect"
import type { ContextTooLarge } from "../../context/PreparedContext.ts"
import type { Summarizer } from "../../context/Summarizer.ts"
import type { StoredMessage } from "../../domain/Conversation.ts"
import type { Message } from "../../domain/Message.ts"
import type { ModelCatalog } from "../../models/ModelCatalog.ts"
import type { SettingsShape } from "../../Settings.ts"
import type { TokenEstimator } from "../../tokens/TokenEstimator.ts"
import type { Prompt } from "./Meter.ts"

export const policyNames = ["none", "window", "seed", "sluice"] as const
export type PolicyName = (typeof policyNames)[number]

/** What a policy may use. */
export interface Bench {
  readonly estimator: TokenEstimator["Service"]
  readonly summarizer: Summarizer["Service"]
  readonly catalog: ModelCatalog["Service"]
  readonly settings: SettingsShape
  readonly model: string
  readonly prefixTokens: number
}

/** One conversation under one policy. `history` is the whole transcript; `upTo` messages of it have been said. */
export interface Player {
  readonly prompt: (upTo: number) => Effect.Effect<Prompt, ContextTooLarge>
  /** What the last prompt held. */
  readonly messages: () => ReadonlyArray<Message>
}

export type Policy = (history: ReadonlyArray<StoredMessage>, bench: Bench) => Player

/** A piece of a prompt that is equal to another exactly when `key` is. */
export interface Unit {
  readonly key: unknown
  readonly tokens: number
  /** How long upstream keeps what ends here; false when nothing ends here. */
  readonly breakpoint: false | "5m" | "1h"
}

/** Tokens of `now` that repeat `before`, up to the last breakpoint that `before` had inside what they share. */
export const sharedTokens = (
  before: ReadonlyArray<Unit>,
  now: ReadonlyArray<Unit>
): Pick<Prompt, "shared" | "sharedLong"> => {
  let shared = 0
  let sharedLong = 0
  let sum = 0
  for (let i = 0; i < now.length && i < before.length; i++) {
    const unit = now[i]
    const old = before[i]
    if (unit === undefined || old === undefined || unit.key !== old.key) break
    sum += unit.tokens
    if (old.breakpoint !== false) shared = sum
    if (old.breakpoint === "1h") sharedLong = sum
  }
  return { shared, sharedLong }
}

/** Tokens up to the last breakpoint that is kept for an hour. */
export const longTokens = (units: ReadonlyArray<Unit>): number =>
  tokensOf(units.slice(0, units.findLastIndex((unit) => unit.breakpoint === "1h") + 1))

/** What a policy that keeps everything for five minutes says of the long-lived part. */
export const shortLived = { sharedLong: 0, long: 0, longLived: false } as const

export const tokensOf = (units: ReadonlyArray<Unit>): number => units.reduce((sum, unit) => sum + unit.tokens, 0)
