import { Context } from "effect"
import { HttpApiMiddleware, HttpApiSecurity } from "effect/http-api"
import type { Grant } from "../access/Grant.ts"
import { Forbidden, Unauthorized } from "./Problem.ts"

/** Who asks: an administrator, a tenant by its token, or a local process (every tenant). */
export interface Visitor {
  readonly admin: boolean
  /** The only tenant that this visitor may see; null for all. */
  readonly tenant: string | null
  /** What the tenant's token grants; null for whoever is no tenant. */
  readonly grant: Grant | null
  /** False for a local process that showed no token though there are some: it may look at figures, not at prompts, and ask nothing. */
  readonly readsPrompts: boolean
}

export class CurrentVisitor extends Context.Service<CurrentVisitor, Visitor>()("sluice/http/CurrentVisitor") {}

/**
 * A known token (`Authorization: Bearer` or `x-api-key`), or a local process. Local is a loopback peer that was not
 * forwarded by a proxy and is not a browser page of another site.
 */
export class Access extends HttpApiMiddleware.Service<Access, { provides: CurrentVisitor }>()("sluice/http/Access", {
  error: Unauthorized,
  security: { bearer: HttpApiSecurity.bearer, apiKey: HttpApiSecurity.apiKey({ key: "x-api-key" }) }
}) {}

/** Whoever may read prompts, and have the model answer them. Needs `Access` around it. */
export class PromptReaders extends HttpApiMiddleware.Service<PromptReaders, { requires: CurrentVisitor }>()(
  "sluice/http/PromptReaders",
  { error: Unauthorized }
) {}

/** `ADMIN_TOKEN`, or a local process when none is configured. Needs `Access` around it. */
export class AdminOnly extends HttpApiMiddleware.Service<AdminOnly, { requires: CurrentVisitor }>()(
  "sluice/http/AdminOnly",
  { error: [Unauthorized, Forbidden] }
) {}
