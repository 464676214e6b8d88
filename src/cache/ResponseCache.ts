import { Context, type Effect, type Option } from "effect"
import type { AssistantMessage, MessagesRequest } from "../domain/MessagesRequest.ts"

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

/** Whole successful answers, by the exact canonical request and tenant. Its failure never fails a request. */
export class ResponseCache extends Context.Service<
  ResponseCache,
  {
    /** Hex SHA-256 over the canonical request and the tenant. Key order, whitespace, `stream` and `cache_control` do not matter. */
    readonly key: (request: MessagesRequest, tenant: string, betas?: ReadonlyArray<string>) => string
    readonly lookup: (key: string) => Effect.Effect<Option.Option<AssistantMessage>>
    /** Stores what is safe to replay (a complete answer, no refusal, by default no tool call); answers whether it did. */
    readonly store: (key: string, answer: AssistantMessage) => Effect.Effect<boolean>
    /** Joins an identical request in flight or becomes its leader. The effect of a leader that is interrupted is taken over by a follower. */
    readonly coalesce: <A, E, R>(
      key: string,
      lead: Effect.Effect<A, E, R>
    ) => Effect.Effect<{ readonly value: A; readonly coalesced: boolean }, E, R>
    /** Drops everything; answers how many entries went. */
    readonly clear: Effect.Effect<number>
    /** Fills the cache with known answers; answers how many were stored. */
    readonly warm: (
      pairs: Iterable<{ readonly request: MessagesRequest; readonly tenant: string; readonly answer: AssistantMessage }>
    ) => Effect.Effect<number>
    readonly stats: Effect.Effect<CacheStats>
  }
>()("sluice/cache/ResponseCache") {}
