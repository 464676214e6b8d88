import { Context, Effect, Layer } from "effect"
import type { Persistence } from "effect/persistence"
import { Events } from "../events/Events.ts"
import { Settings } from "../Settings.ts"
import type { CacheOptions, CacheService } from "./CacheService.ts"
import { makeCache, makeOff } from "./MakeCache.ts"
import { makeSecondTier } from "./SecondTier.ts"

export type { CacheOptions, CacheStats } from "./CacheService.ts"

/** What Settings and Events say about the cache; undefined when it is switched off. */
const configured = Effect.gen(function* () {
  const settings = yield* Settings
  const events = yield* Events
  if (!settings.enabled.responseCache) return undefined
  const options: CacheOptions = {
    ttlMillis: settings.cacheTtlMinutes * 60_000,
    maxBytes: settings.cacheMaxSizeMb * 1024 * 1024
  }
  return { options, onClear: (entries: number) => events.publish({ _tag: "CacheCleared", entries }) }
})

/** Whole successful answers, by the exact canonical request and tenant. Its failure never fails a request. */
export class ResponseCache extends Context.Service<ResponseCache, CacheService>()("sluice/cache/ResponseCache") {
  /** In this process, bounded as told. For tests, and for embedding without Settings. */
  static readonly layerMemory = (options: CacheOptions): Layer.Layer<ResponseCache> =>
    Layer.effect(ResponseCache, makeCache({ options }))

  /** Looks up, stores and shares nothing. */
  static readonly layerOff: Layer.Layer<ResponseCache> = Layer.sync(ResponseCache, makeOff)

  /** As Settings say: RESPONSE_CACHE_ENABLED, CACHE_TTL_MINUTES, CACHE_MAX_SIZE_MB. Tells Events when it is cleared. */
  static readonly layer: Layer.Layer<ResponseCache, never, Settings | Events> = Layer.effect(
    ResponseCache,
    Effect.flatMap(configured, (parts) => (parts === undefined ? Effect.sync(makeOff) : makeCache(parts)))
  )

  /**
   * `layer`, with a second tier that outlives the process, in SQL or Redis (`Persistence.layerBackingSql`, …): for as
   * long as the TTL, without a bound in bytes. When it fails or dawdles it is left out.
   */
  static readonly layerPersisted: Layer.Layer<
    ResponseCache,
    never,
    Settings | Events | Persistence.BackingPersistence
  > = Layer.effect(
    ResponseCache,
    Effect.gen(function* () {
      const parts = yield* configured
      if (parts === undefined) return makeOff()
      return yield* makeCache({ ...parts, second: yield* makeSecondTier(parts.options.ttlMillis) })
    })
  )
}
