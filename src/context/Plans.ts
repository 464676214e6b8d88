import type { Plan } from "./Compactor.ts"

/**
 * From the mildest to the harshest compaction. `room` is what the limit leaves after system and tools, in tokens. The
 * first one leaves the recent band a sixth of the room; the shares of the summaries are what they may grow to, not what they take.
 */
export const plans = (room: number, recentMessages: number): ReadonlyArray<Plan> => {
  const tokens = (share: number) => Math.floor(room * share)
  const segments = { heavyTokens: tokens(0.4), lightTokens: tokens(0.2), standingTokens: tokens(0.25) }
  const third = Math.ceil(recentMessages / 3)
  const lastResort = (chars: number, share: number): Plan => ({
    recentTokens: 0,
    recentMessages: 0,
    freshMessages: 0,
    chars,
    heavyTokens: tokens(0.16 * share),
    lightTokens: tokens(0.08 * share),
    standingTokens: tokens(0.16 * share)
  })
  return [
    { ...segments, recentTokens: tokens(0.17), recentMessages, freshMessages: third, chars: 2_000 },
    { ...segments, recentTokens: tokens(0.1), recentMessages: third, freshMessages: 4, chars: 1_000 },
    lastResort(64_000, 1),
    lastResort(16_000, 1),
    lastResort(4_000, 1),
    lastResort(1_000, 0.5),
    lastResort(250, 0.25)
  ]
}

/** A plan is accepted when the bound leaves this share of the limit free; the last resorts only need to fit. */
export const acceptableShare = (index: number): number => (index < 2 ? 0.75 : 1)
