import { Effect, Fiber } from "effect"

/**
 * Runs `effect` to its end in a fiber of its own, which nobody interrupts. A settlement must not run in a fiber that was
 * interrupted: rooms may let themselves be interrupted while they wait for a disk, and would give up at once.
 */
export const afresh = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.forkDetach(effect, { startImmediately: true, uninterruptible: true }), Fiber.join)
  )
