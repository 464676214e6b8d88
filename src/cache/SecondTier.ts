import { Clock, Duration, Effect, Queue, type Scope } from "effect"
import { Persistence } from "effect/persistence"

/** An answer as the second tier holds it. */
interface Kept {
  readonly text: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** Answers that outlive the process, or are shared with others. Its failure is a miss. */
export interface SecondTier {
  readonly get: (key: string) => Effect.Effect<{ readonly text: string; readonly ttlMillis: number } | undefined>
  /** Does not wait: a store that cannot keep up loses the oldest. */
  readonly set: (key: string, text: string) => Effect.Effect<void>
  readonly clear: Effect.Effect<void>
}

/** No request waits longer for a second tier than this. */
const patience = "250 millis"
/** After a failure it is left alone for so long. */
const restMillis = 5000
const pending = 1000

const isKept = (value: unknown): value is Kept =>
  typeof value === "object" &&
  value !== null &&
  "text" in value &&
  typeof value.text === "string" &&
  "expiresAt" in value &&
  typeof value.expiresAt === "number"

/** The second tier in whatever `BackingPersistence` is there: SQL, Redis, memory. */
export const makeSecondTier = Effect.fnUntraced(function* (
  ttlMillis: number
): Effect.fn.Return<SecondTier, never, Persistence.BackingPersistence | Scope.Scope> {
  const store = yield* (yield* Persistence.BackingPersistence).make("sluice_response_cache")
  const queue = yield* Queue.sliding<readonly [key: string, kept: Kept]>(pending)
  let restUntil = 0

  const trouble = Effect.flatMap(Clock.currentTimeMillis, (now) => {
    const isNews = restUntil === 0
    restUntil = now + restMillis
    return isNews ? Effect.logWarning("The response cache's second tier does not answer; it is left out.") : Effect.void
  })

  /** Nothing where the store fails, dawdles, or did so a moment ago. */
  const attempt = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A | undefined> =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      if (now < restUntil) return Effect.undefined
      return effect.pipe(
        Effect.timeout(patience),
        Effect.tap(() =>
          Effect.sync(() => {
            restUntil = 0
          })
        ),
        Effect.catchCause(() => Effect.as(trouble, undefined))
      )
    })

  const write = Effect.flatMap(Queue.take(queue), ([key, kept]) =>
    attempt(store.set(key, kept, Duration.millis(ttlMillis)))
  )
  yield* Effect.forkScoped(Effect.forever(write))

  return {
    get: (key) =>
      Effect.flatMap(attempt(store.get(key)), (value) =>
        Effect.map(Clock.currentTimeMillis, (now) =>
          isKept(value) && value.expiresAt > now ? { text: value.text, ttlMillis: value.expiresAt - now } : undefined
        )
      ),
    set: (key, text) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        Effect.asVoid(Queue.offer(queue, [key, { text, expiresAt: now + ttlMillis }]))
      ),
    clear: Effect.andThen(Queue.clear(queue), Effect.asVoid(attempt(store.clear)))
  }
})
