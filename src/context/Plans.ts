import type { Plan } from "./Compactor.ts"

/**
 * From the mildest to the harshest compaction. `room` is what the limit leaves after system and tools, in tokens. The
 * first one leaves the recent band a fifth of the room, so that the context may triple before the next compaction.
 */
export const plans = (room: number, recentMessages: number): ReadonlyArray<Plan> => {
  const recent = (share: number, messages: number, freshMessages: number, chars: number): Plan => ({
    recentTokens: Math.floor(room * share),
    recentMessages: messages,
    freshMessages,
    chars
  })
  return [
    recent(0.2, recentMessages, Math.ceil(recentMessages / 3), 2_000),
    recent(0.1, Math.ceil(recentMessages / 3), 4, 1_000),
    ...[64_000, 16_000, 4_000, 1_000, 250].map((chars) => recent(0, 0, 0, chars))
  ]
}

/** A plan is accepted when the bound leaves this share of the limit free; the last resorts only need to fit. */
export const acceptableShare = (index: number): number => (index < 2 ? 0.75 : 1)
