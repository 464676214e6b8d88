import { Clock, Context, Effect, Latch, Layer, type Scope } from "effect"
import { LRUCache } from "lru-cache"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import { Settings } from "../Settings.ts"
import { hasBreakpoint, type Prefix, prefixesOf } from "./Prefixes.ts"

export interface PrefixGateOptions {
  /** The longest that a request waits for another one's response to begin. */
  readonly patienceMillis: number
  /** A shorter prefix is not worth waiting for: characters, about three to a token. */
  readonly minChars: number
  /** How long upstream keeps a prefix that nobody uses. */
  readonly warmMillis: number
}

export interface Pass {
  /** To be run when the response begins: from then on upstream has the prefix, and whoever waits for it goes on. */
  readonly begun: Effect.Effect<void>
  readonly waitedMillis: number
}

/**
 * Upstream writes a prompt prefix into its cache once for every request that arrives before the first response begins.
 * Here the others wait until it does: N requests that share a long prefix cost one cache write instead of N.
 */
export class PrefixGate extends Context.Service<
  PrefixGate,
  {
    /**
     * Waits while another request of the same `account` (whoever shares upstream's cache) is writing this one's longest
     * prefix. When the scope closes before `begun`, the next one in line writes.
     */
    readonly enter: (request: MessagesRequest, account: string) => Effect.Effect<Pass, never, Scope.Scope>
  }
>()("sluice/cache/PrefixGate") {
  static readonly layerWith = (options: PrefixGateOptions): Layer.Layer<PrefixGate> =>
    Layer.sync(PrefixGate, () => makeGate(options))

  /** Waits ten seconds at most, for prefixes of some 2,000 tokens or more. */
  static readonly layer: Layer.Layer<PrefixGate> = this.layerWith({
    patienceMillis: 10_000,
    minChars: 6000,
    warmMillis: 5 * 60_000
  })

  /** `layer` while RESPONSE_CACHE_ENABLED holds (and TOKEN_MANAGEMENT_ENABLED above it); otherwise nobody waits. */
  static readonly layerSettings: Layer.Layer<PrefixGate, never, Settings> = Layer.unwrap(
    Effect.map(Settings, ({ enabled }) => (enabled.responseCache ? PrefixGate.layer : PrefixGate.layerOff))
  )

  /** Nobody waits. */
  static readonly layerOff: Layer.Layer<PrefixGate> = Layer.succeed(PrefixGate, {
    enter: () => Effect.succeed(free)
  })
}

/** Goes at once, and nobody waits for it. */
export const free: Pass = { begun: Effect.void, waitedMillis: 0 }
const remembered = 10_000

/** A clock that never goes back: nobody waits for an hour that is lived twice. */
const now = Clock.clockWith((clock) => Effect.sync(() => Number(clock.monotonicTimeNanosUnsafe()) / 1e6))

/** A request that cannot be written down has no prefix to wait for; upstream will say what is wrong. */
const readable = (request: MessagesRequest, account: string): ReadonlyArray<Prefix> => {
  try {
    return prefixesOf(request, account)
  } catch {
    return []
  }
}

const makeGate = (options: PrefixGateOptions) => {
  /** Until when upstream has a prefix. */
  const warm = new LRUCache<string, number>({ max: remembered })
  /** Prefixes that a request in flight is writing; the latch opens when that is over. */
  const writing = new Map<string, Latch.Latch>()

  const isWarm = ({ name }: Prefix, at: number): boolean => (warm.get(name) ?? 0) > at

  /** Who writes the longest known prefix; undefined when upstream has it, or knows none. */
  const writerOf = (prefixes: ReadonlyArray<Prefix>, at: number): Latch.Latch | undefined => {
    const known = prefixes.find((prefix) => writing.has(prefix.name) || isWarm(prefix, at))
    return known && writing.get(known.name)
  }

  /** From here on this request writes what nobody has written. */
  const write = (prefixes: ReadonlyArray<Prefix>, start: number) => {
    const mine = prefixes.filter((prefix) => !writing.has(prefix.name) && !isWarm(prefix, start))
    const latch = Latch.makeUnsafe()
    for (const { name } of mine) writing.set(name, latch)
    const over = Effect.sync(() => {
      for (const { name } of mine) if (writing.get(name) === latch) writing.delete(name)
      latch.openUnsafe()
    })
    const begun = Effect.flatMap(now, (at) => {
      for (const { name } of prefixes) warm.set(name, at + options.warmMillis)
      return over
    })
    return { begun, over }
  }

  const pass = Effect.fnUntraced(function* (
    prefixes: ReadonlyArray<Prefix>,
    restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  ) {
    const start = yield* now
    const deadline = start + options.patienceMillis
    let at = start
    let writer = writerOf(prefixes, at)
    while (writer !== undefined && at < deadline) {
      yield* restore(Effect.timeoutOption(writer.await, deadline - at))
      at = yield* now
      writer = writerOf(prefixes, at)
    }
    const { begun, over } = write(prefixes, at)
    yield* Effect.addFinalizer(() => over)
    return { begun, waitedMillis: Math.round(at - start) }
  })

  return PrefixGate.of({
    enter: (request, account) =>
      Effect.suspend(() => {
        if (!hasBreakpoint(request)) return Effect.succeed(free)
        const prefixes = readable(request, account).filter(({ chars }) => chars >= options.minChars)
        return prefixes.length === 0
          ? Effect.succeed(free)
          : Effect.uninterruptibleMask((restore) => pass(prefixes, restore))
      })
  })
}
