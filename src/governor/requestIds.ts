import { Clock, Effect, Random } from "effect"

/** Ids that are unique in all processes: when the process began, 64 random bits, a counter. An id is booked once. */
export const makeRequestIds = Effect.gen(function* () {
  const started = yield* Clock.currentTimeMillis
  const random = [yield* Random.nextIntBetween(0, 2 ** 32), yield* Random.nextIntBetween(0, 2 ** 32)]
  const prefix = [started, ...random].map((part) => part.toString(36)).join("")
  let count = 0
  return (): string => `req_${prefix}_${(++count).toString(36)}`
})
