import { hash } from "node:crypto"
import { Redacted } from "effect"
import type { CallOptions } from "../claude/Claude.ts"
import type { Caller } from "../domain/Caller.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Model } from "../models/ModelCatalog.ts"
import type { GovernorError, RunOptions } from "./Governed.ts"

/** One governed request on its way, routed and named. */
export interface Job {
  readonly requestId: string
  readonly caller: Caller
  readonly request: MessagesRequest
  readonly model: Model
  /** The model that was asked for, when routing chose another. */
  readonly requestedModel: string | undefined
  /** Why this model. */
  readonly routing: string
  /** The models that upstream had no room on before this one, in order. */
  readonly failed: ReadonlyArray<Model>
  /** The cache key; undefined when this request has nothing to do with the cache. */
  readonly key: string | undefined
  readonly options: RunOptions
  /** True from the moment upstream may bill: from then on the request is followed to its settlement, whoever leaves. */
  sent: boolean
  /** True when this job went upstream itself instead of joining another. */
  led: boolean
  /** How many wait for what this job leads. At none, a failed attempt is not followed by another. */
  waiting: number
}

/** Unless the caller says so itself: with a key of its own it shares only with who has the same key, because that pays. */
export const scopeOf = ({ apiKey, cacheScope }: RunOptions): string | undefined =>
  cacheScope ?? (apiKey && hash("sha256", Redacted.value(apiKey)))

/** Whose limits at upstream a request takes from: those of the client's own key, undefined for the server's. */
export const accountOf = ({ apiKey }: RunOptions): string | undefined =>
  apiKey && hash("sha256", Redacted.value(apiKey), "base64url")

/** Identical requests in flight may share one call. */
export const shareable = (job: Job): job is Job & { readonly key: string } =>
  job.key !== undefined && job.options.cache !== "refresh"

/** The leader's own budget, deadline or place in the queue say nothing about those who joined it. */
export const leadersOwn = (error: GovernorError): boolean => error._tag !== "ClaudeError"

export const callOptions = (job: Job, onAttempt: CallOptions["onAttempt"]): CallOptions => {
  const { apiKey, forward, headers } = job.options
  // The caller's bytes name the caller's model.
  const bytes = forward && job.requestedModel !== undefined ? { ...forward, body: undefined } : forward
  return { headers, apiKey, forward: bytes, onAttempt }
}
