import { Effect, type Scope } from "effect"
import { makeAnswers } from "./Answers.ts"
import { makeCacheKey } from "./CacheKey.ts"
import type { CacheOptions, CacheService } from "./CacheService.ts"
import { eventBytes } from "./eventBytes.ts"
import type { SecondTier } from "./SecondTier.ts"
import { type Coalesced, makeSingleFlight } from "./SingleFlight.ts"
import { type CoalescedStream, makeStreamFlight, type Opened } from "./StreamFlight.ts"

export interface CacheParts {
  readonly options: CacheOptions
  readonly second?: SecondTier | undefined
  readonly onClear?: ((entries: number) => Effect.Effect<void>) | undefined
}

/** Of a stream that several may hear, this much is kept for who comes later or reads slowly, in bytes. */
const keptOfStream = { bound: 4 * 1024 * 1024, weigh: eventBytes }

/** A request that cannot be written down (cycles, bottomless nesting) has no name; upstream will say what is wrong. */
const nameless = (name: () => string): string => {
  try {
    return name()
  } catch {
    return ""
  }
}

/** The cache: stored answers, and calls in flight. */
export const makeCache = Effect.fnUntraced(function* ({ onClear, options, second }: CacheParts) {
  const answers = makeAnswers(options, second)
  const cacheKey = makeCacheKey()
  let coalesced = 0
  const onFollower = () => {
    coalesced++
  }
  const flights = makeSingleFlight(onFollower)
  const streams = makeStreamFlight(onFollower, keptOfStream)
  const key: CacheService["key"] = (request, tenant, betas) => nameless(() => cacheKey(request, tenant, betas))

  const warm = Effect.fnUntraced(function* (pairs: Parameters<CacheService["warm"]>[0]) {
    let stored = 0
    for (const { answer, request, tenant } of pairs) if (yield* answers.save(key(request, tenant), answer)) stored++
    return stored
  })

  yield* Effect.sleep("1 minute").pipe(Effect.andThen(answers.purge), Effect.forever, Effect.forkScoped)

  const cache: CacheService = {
    enabled: true,
    key,
    lookup: answers.lookup,
    store: answers.save,
    coalesce: (name, lead, own) => (name === "" ? alone(lead) : flights.run(name, lead, own)),
    coalesceStream: (name, open, own) => (name === "" ? aloneStream(open) : streams.run(name, open, own)),
    clear: Effect.tap(answers.clear, (entries) => onClear?.(entries) ?? Effect.void),
    warm,
    stats: Effect.sync(() => ({ enabled: true, ...answers.stats(), coalesced }))
  }
  return cache
})

const alone = <A, E, R>(lead: Effect.Effect<A, E, R>): Effect.Effect<Coalesced<A>, E, R> =>
  Effect.map(lead, (value) => ({ value, coalesced: false }))

/** The opened stream, in the caller's own scope. */
const aloneStream = <H, A, E, R>(open: Effect.Effect<Opened<H, A, E>, E, R>) =>
  // With or without it in R, the caller's scope is there.
  Effect.map(open, (opened) => ({ ...opened, coalesced: false })) as Effect.Effect<
    CoalescedStream<H, A, E>,
    E,
    Exclude<R, Scope.Scope> | Scope.Scope
  >

/** Looks up, stores and shares nothing. */
export const makeOff = (): CacheService => ({
  enabled: false,
  key: () => "",
  lookup: () => Effect.succeedNone,
  store: () => Effect.succeed(false),
  coalesce: (_key, lead) => alone(lead),
  coalesceStream: (_key, open) => aloneStream(open),
  clear: Effect.succeed(0),
  warm: () => Effect.succeed(0),
  stats: Effect.succeed({
    enabled: false,
    entries: 0,
    bytes: 0,
    maxBytes: 0,
    hits: 0,
    misses: 0,
    hitRate: 0,
    evictions: 0,
    expirations: 0,
    coalesced: 0,
    ttlMillis: 0
  })
})
