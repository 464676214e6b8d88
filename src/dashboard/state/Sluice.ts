import { computed, type InjectionKey, inject, ref, shallowRef } from "vue"
import { type Api, ApiFailure, makeApi } from "../api/client.ts"
import { LiveFeed } from "../api/LiveFeed.ts"
import { noSeries, type Series, toSeries } from "../api/series.ts"
import type { Alert, CacheMetrics, CostMetrics, Frame, Health, TokenMetrics } from "../api/types.ts"
import { applyAlert, evident, lasting, merged } from "./alerts.ts"
import { emptyTail, extended } from "./tail.ts"
import { makeTitles } from "./titles.ts"

export type Connection = "connecting" | "live" | "polling" | "disconnected" | "locked"

export interface SluiceOptions {
  /** Where Sluice answers: "" for this page's own origin, else a URL without a slash at its end. */
  readonly base: string
  readonly token: () => string | null
}

const pollMillis = 10_000
/** Events make the figures be fetched sooner, but not more often than this. */
const leastMillis = 1_500
/** Older figures than this are shown as old. */
const staleMillis = 25_000

/** Everything the page knows of one Sluice. `start` begins to ask, `stop` ends it. */
export const makeSluice = (options: SluiceOptions) => {
  const api: Api = makeApi(options)
  const titles = makeTitles(api)
  const tokens = shallowRef<TokenMetrics>()
  const cache = shallowRef<CacheMetrics>()
  const costs = shallowRef<CostMetrics>()
  const health = shallowRef<Health>()
  const series = shallowRef<Series>(noSeries)
  const tail = shallowRef(emptyTail)
  const told = shallowRef<ReadonlyMap<string, Alert>>(new Map())
  const failure = shallowRef<ApiFailure>()
  const feedOpen = ref(false)
  const updatedAt = ref(0)
  const now = ref(Date.now())

  const connection = computed<Connection>(() => {
    if (failure.value?.status === 401 || failure.value?.status === 403) return "locked"
    if (failure.value !== undefined) return "disconnected"
    if (updatedAt.value === 0) return "connecting"
    return feedOpen.value ? "live" : "polling"
  })
  const stale = computed(() => updatedAt.value > 0 && now.value - updatedAt.value > staleMillis)
  const alerts = computed(() => merged(told.value, evident(tokens.value, costs.value)))

  let startedAt = 0
  const noteHealth = (seen: Health): boolean => {
    const began = Date.now() - seen.uptimeSeconds * 1000
    const another = startedAt !== 0 && Math.abs(began - startedAt) > 3_000
    startedAt = began
    health.value = seen
    return another
  }

  let generation = 0
  /** Which process the feed's numbering belongs to: the poll may be the first to meet another one. */
  let feedGeneration = 0
  const beginAnew = (): void => {
    generation += 1
  }

  let lastSeries = 0
  const load = async (): Promise<void> => {
    const asked = await Promise.all([api.tokens(), api.cache(), api.costs(), api.health(), api.alerts()])
    tokens.value = asked[0]
    cache.value = asked[1]
    costs.value = asked[2]
    if (noteHealth(asked[3])) beginAnew()
    told.value = lasting(asked[4])
    failure.value = undefined
    updatedAt.value = now.value = Date.now()
    if (updatedAt.value - lastSeries < pollMillis - 500) return
    lastSeries = updatedAt.value
    series.value = toSeries(await api.series())
  }

  let loading: Promise<void> | undefined
  /** Asks for all figures now; never twice at once, never fails. */
  const refresh = (): Promise<void> => {
    loading ??= load()
      .catch((error: unknown) => {
        failure.value = error instanceof ApiFailure ? error : new ApiFailure(0, String(error))
      })
      .finally(() => {
        loading = undefined
      })
    return loading
  }

  let soon: ReturnType<typeof setTimeout> | undefined
  const refreshSoon = (): void => {
    soon ??= setTimeout(
      () => {
        soon = undefined
        void refresh()
      },
      Math.max(0, leastMillis - (Date.now() - updatedAt.value))
    )
  }

  const onFrames = (frames: ReadonlyArray<Frame>): void => {
    tail.value = extended(tail.value, frames)
    for (const { event } of frames) told.value = applyAlert(told.value, event)
    if (!document.hidden) refreshSoon()
  }

  const feed = new LiveFeed({
    url: api.url,
    headers: api.headers,
    onFrames,
    onGap: refreshSoon,
    onOpen: (open) => {
      if (feedOpen.value !== open) refreshSoon()
      feedOpen.value = open
    },
    restarted: async () => {
      if (noteHealth(await api.health())) beginAnew()
      const another = feedGeneration !== generation
      feedGeneration = generation
      return another
    }
  })

  const timers: Array<ReturnType<typeof setInterval>> = []
  const start = (live = true): void => {
    void refresh()
    if (live) feed.start()
    timers.push(setInterval(() => void refresh(), pollMillis))
    timers.push(
      setInterval(() => {
        now.value = Date.now()
      }, 1_000)
    )
  }
  const stop = (): void => {
    feed.stop()
    clearTimeout(soon)
    for (const timer of timers.splice(0)) clearInterval(timer)
  }

  const forget = (): void => {
    tokens.value = cache.value = costs.value = undefined
    series.value = noSeries
    tail.value = emptyTail
    told.value = new Map()
    titles.forget()
    failure.value = undefined
    updatedAt.value = lastSeries = 0
  }

  /** After the token changed: what the reader before could see is forgotten. */
  const reconnect = async (): Promise<void> => {
    feed.stop()
    forget()
    await loading
    forget()
    await refresh()
    feed.startAnew()
  }

  return {
    api,
    tokens,
    cache,
    costs,
    health,
    series,
    tail,
    titles,
    alerts,
    failure,
    connection,
    stale,
    updatedAt,
    now,
    refresh,
    reconnect,
    start,
    stop
  }
}

export type Sluice = ReturnType<typeof makeSluice>

export const SluiceKey: InjectionKey<Sluice> = Symbol("sluice")

export const useSluice = (): Sluice => {
  const sluice = inject(SluiceKey)
  if (sluice === undefined) throw new Error("This component needs a Sluice: provide one under SluiceKey.")
  return sluice
}
