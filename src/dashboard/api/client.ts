import type {
  Alerts,
  CacheMetrics,
  ContextView,
  ConversationPage,
  CostMetrics,
  Health,
  MessagePage,
  SeriesMetrics,
  TokenMetrics
} from "./types.ts"

/** An answer that is not what was asked for. `status` is 0 when nobody answered. */
export class ApiFailure extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = "ApiFailure"
    this.status = status
  }
}

export interface ApiOptions {
  /** Where Sluice answers: "" for this page's own origin. */
  readonly base: string
  /** Sent as `Authorization: Bearer` when there is one. */
  readonly token: () => string | null
}

/** Longer than a healthy answer takes; then the server counts as gone. */
const patienceMillis = 8_000

const detailOf = async (response: Response): Promise<string> => {
  const body: unknown = await response.json().catch(() => null)
  const detail = typeof body === "object" && body !== null && "detail" in body ? body.detail : undefined
  return typeof detail === "string" ? detail : `The server answered ${response.status}.`
}

const headersOf = ({ token }: ApiOptions): Record<string, string> => {
  const given = token()
  return given === null ? {} : { authorization: `Bearer ${given}` }
}

interface Pinned {
  readonly pins: ReadonlyArray<number>
}

export const makeApi = (options: ApiOptions) => {
  const call = async <A>(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    accepts: ReadonlyArray<number> = []
  ): Promise<A> => {
    const signal = AbortSignal.timeout(patienceMillis)
    const init = { method, signal, headers: headersOf(options), cache: "no-store" } as const
    const response = await fetch(`${options.base}${path}`, init).catch((cause: unknown) => {
      throw new ApiFailure(0, `Sluice does not answer at ${options.base || location.origin}. ${String(cause)}`)
    })
    if (!response.ok && !accepts.includes(response.status)) {
      throw new ApiFailure(response.status, await detailOf(response))
    }
    // The server encodes its answers by the declarations that A comes from.
    return (await response.json()) as A
  }
  const get = <A>(path: string) => call<A>("GET", path)
  const pathOf = (conversation: string) => `/api/conversations/${encodeURIComponent(conversation)}`

  return {
    headers: () => headersOf(options),
    url: (path: string) => `${options.base}${path}`,
    health: () => call<Health>("GET", "/health", [503]),
    tokens: () => get<TokenMetrics>("/api/metrics/tokens"),
    cache: () => get<CacheMetrics>("/api/metrics/cache"),
    costs: (days?: { readonly from: string; readonly to: string }) =>
      get<CostMetrics>(`/api/metrics/costs${days === undefined ? "" : `?from=${days.from}&to=${days.to}`}`),
    alerts: () => get<Alerts>("/api/alerts"),
    series: () => get<SeriesMetrics>("/api/metrics/series"),
    conversations: (before?: string) =>
      get<ConversationPage>(`/api/conversations?limit=50${before === undefined ? "" : `&before=${before}`}`),
    context: (id: string) => get<ContextView>(`${pathOf(id)}/context`),
    messages: (id: string, before?: number) =>
      get<MessagePage>(`${pathOf(id)}/messages?limit=30${before === undefined ? "" : `&before=${before}`}`),
    pin: (id: string, seq: number) => call<Pinned>("PUT", `${pathOf(id)}/pins/${seq}`),
    unpin: (id: string, seq: number) => call<Pinned>("DELETE", `${pathOf(id)}/pins/${seq}`),
    clearCache: () => call<{ readonly cleared: number }>("POST", "/api/cache/clear"),
    resume: () => call<{ readonly paused: boolean }>("POST", "/api/costs/resume")
  }
}

export type Api = ReturnType<typeof makeApi>
