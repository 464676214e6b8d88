import type { Effect, Option, Scope } from "effect"
import type { AssistantMessage, MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Coalesced, CoalesceOptions, FlightOptions } from "./SingleFlight.ts"
import type { CoalescedStream, Opened } from "./StreamFlight.ts"

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

export interface CacheService {
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
    options?: FlightOptions<A, E, R>
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
