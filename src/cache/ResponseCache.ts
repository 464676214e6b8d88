import { Clock, Context, Effect, Layer, Option, type Scope } from "effect"
import type { AssistantMessage, MessagesRequest } from "../domain/MessagesRequest.ts"
import { Events } from "../events/Events.ts"
import { Settings } from "../Settings.ts"
import { AnswerStore } from "./AnswerStore.ts"
import { makeCacheKey } from "./CacheKey.ts"
import { type Coalesced, type CoalesceOptions, makeSingleFlight } from "./SingleFlight.ts"
import { isStorable } from "./Storable.ts"
import { type CoalescedStream, makeStreamFlight, type Opened } from "./StreamFlight.ts"

export interface CacheStats {
  readonly enabled: boolean
  readonly entries: number
  readonly bytes: number
  readonly maxBytes: number
  readonly hits: number
  readonly misses: number
  readonly hitRate: number
  readonly evictions: number
  readonly expirations: number
  readonly coalesced: number
  readonly ttlMillis: number
}

export interface CacheOptions {
  readonly ttlMillis: number
  /** Heap bytes of all entries together. */
  readonly maxBytes: number
  /** Whether answers that call tools are stored too. Off by default: replayed, the tool would run again. */
  readonly toolCalls?: boolean | undefined
}

/** Whole successful answers, by the exact canonical request and tenant. Its failure never fails a request. */
export class ResponseCache extends Context.Service<
  ResponseCache,
  {
    /** False when RESPONSE_CACHE_ENABLED is: nothing is looked up, stored or coalesced. */
    readonly enabled: boolean
    /**
     * Hex SHA-256 over the canonical request and the tenant. Key order, whitespace, `stream` and `cache_control` do not
     * matter. O(new messages) for a conversation whose messages are the same objects; messages must not be changed in
     * place. `""` for what cannot be named: to every other member that means "do not cache".
     */
    readonly key: (request: MessagesRequest, tenant: string, betas?: ReadonlyArray<string>) => string
    readonly lookup: (key: string) => Effect.Effect<Option.Option<AssistantMessage>>
    /** Stores what is safe to replay (a complete answer, no refusal, by default no tool call); answers whether it did. */
    readonly store: (key: string, answer: AssistantMessage) => Effect.Effect<boolean>
    /**
     * Joins an identical request in flight or becomes its leader. The lead runs in a fiber owned by all who wait: a leader
     * that is interrupted leaves it to its followers, without a second call. Let it hold everything that belongs to the
     * call (settling, storing), and no scope of the leader's.
     */
    readonly coalesce: <A, E, R>(
      key: string,
      lead: Effect.Effect<A, E, R>,
      options?: CoalesceOptions<E>
    ) => Effect.Effect<Coalesced<A>, E, R>
    /**
     * `coalesce` for streams: one upstream stream, heard whole by everyone who joins while it runs. `open` has a scope of
     * its own, closed when the stream ends or the last listener's scope closes. Each `events` can be run once.
     */
    readonly coalesceStream: <H, A, E, R>(
      key: string,
      open: Effect.Effect<Opened<H, A, E>, E, R>,
      options?: CoalesceOptions<E>
    ) => Effect.Effect<CoalescedStream<H, A, E>, E, Exclude<R, Scope.Scope> | Scope.Scope>
    /** Drops everything; answers how many entries went. */
    readonly clear: Effect.Effect<number>
    /** Fills the cache with known answers; answers how many were stored. */
    readonly warm: (
      pairs: Iterable<{ readonly request: MessagesRequest; readonly tenant: string; readonly answer: AssistantMessage }>
    ) => Effect.Effect<number>
    readonly stats: Effect.Effect<CacheStats>
  }
>()("sluice/cache/ResponseCache") {
  /** In this process, bounded as told. For tests, and for embedding without Settings. */
  static readonly layerMemory = (options: CacheOptions): Layer.Layer<ResponseCache> =>
    Layer.effect(
      ResponseCache,
      makeCache(options, () => Effect.void)
    )

  /** Looks up, stores and coalesces nothing. */
  static readonly layerOff: Layer.Layer<ResponseCache> = Layer.sync(ResponseCache, () => makeOff())

  /** As Settings say: RESPONSE_CACHE_ENABLED, CACHE_TTL_MINUTES, CACHE_MAX_SIZE_MB. Tells Events when it is cleared. */
  static readonly layer: Layer.Layer<ResponseCache, never, Settings | Events> = Layer.unwrap(
    Effect.gen(function* () {
      const settings = yield* Settings
      const events = yield* Events
      if (!settings.enabled.responseCache) return ResponseCache.layerOff
      const options = {
        ttlMillis: settings.cacheTtlMinutes * 60_000,
        maxBytes: settings.cacheMaxSizeMb * 1024 * 1024
      }
      const onClear = (entries: number) => events.publish({ _tag: "CacheCleared", entries })
      return Layer.effect(ResponseCache, makeCache(options, onClear))
    })
  )
}

const monotonicMillis = Clock.clockWith((clock) => Effect.sync(() => Number(clock.monotonicTimeNanosUnsafe()) / 1e6))

/** A request that cannot be written down (cycles, bottomless nesting) is not cached; upstream will say what is wrong. */
const orNothing = <A>(make: () => A, nothing: A): A => {
  try {
    return make()
  } catch {
    return nothing
  }
}

const makeCache = Effect.fnUntraced(function* (
  options: CacheOptions,
  onClear: (entries: number) => Effect.Effect<void>
) {
  const answers = new AnswerStore(options)
  const cacheKey = makeCacheKey()
  const counts = { hits: 0, misses: 0, coalesced: 0 }
  const onFollower = () => {
    counts.coalesced++
  }
  const flights = makeSingleFlight(onFollower)
  const streams = makeStreamFlight(onFollower)

  const key: ResponseCache["Service"]["key"] = (request, tenant, betas) =>
    orNothing(() => cacheKey(request, tenant, betas), "")

  const lookup = (name: string) =>
    Effect.map(monotonicMillis, (now): Option.Option<AssistantMessage> => {
      if (name === "") return Option.none()
      const text = answers.get(name, now)
      if (text === undefined) counts.misses++
      else counts.hits++
      return text === undefined ? Option.none() : Option.some(JSON.parse(text))
    })

  const store = (name: string, answer: AssistantMessage) =>
    Effect.map(monotonicMillis, (now) => {
      if (name === "" || !isStorable(answer, options.toolCalls ?? false)) return false
      const text = orNothing(() => JSON.stringify(answer), undefined)
      return text !== undefined && answers.set(name, text, now)
    })

  const warm = Effect.fnUntraced(function* (pairs: Parameters<ResponseCache["Service"]["warm"]>[0]) {
    let stored = 0
    for (const { request, tenant, answer } of pairs) if (yield* store(key(request, tenant), answer)) stored++
    return stored
  })

  const purge = Effect.map(monotonicMillis, (now) => answers.purge(now))
  yield* Effect.sleep("1 minute").pipe(Effect.andThen(purge), Effect.forever, Effect.forkScoped)

  return ResponseCache.of({
    enabled: true,
    key,
    lookup,
    store,
    coalesce: (name, lead, own) => (name === "" ? alone(lead) : flights.run(name, lead, own)),
    coalesceStream: (name, open, own) => (name === "" ? aloneStream(open) : streams.run(name, open, own)),
    clear: Effect.tap(
      Effect.sync(() => answers.clear()),
      onClear
    ),
    warm,
    stats: Effect.sync(() => ({
      enabled: true,
      entries: answers.size,
      bytes: answers.bytes,
      maxBytes: options.maxBytes,
      hits: counts.hits,
      misses: counts.misses,
      hitRate: counts.hits / Math.max(1, counts.hits + counts.misses),
      evictions: answers.evictions,
      expirations: answers.expirations,
      coalesced: counts.coalesced,
      ttlMillis: options.ttlMillis
    }))
  })
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

const makeOff = () =>
  ResponseCache.of({
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
