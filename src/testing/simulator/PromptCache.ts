import { LRUCache } from "lru-cache"
import type { Ttl } from "../rules/cacheControl.ts"
import type { Position, Prompt } from "./Prompt.ts"

/** Prompt tokens by the way they are billed. */
export interface PromptBill {
  readonly input: number
  readonly cacheRead: number
  readonly write5m: number
  readonly write1h: number
}

export interface CachePlan {
  readonly bill: PromptBill
  /** Makes what this request writes usable and prolongs what it read; to be called when its response begins. */
  readonly commit: () => void
}

export interface PlanRequest {
  /** Key and model: what is cached for one is not seen by another. */
  readonly owner: string
  readonly prompt: Prompt
  readonly minCacheable: number
  /** When the request started; lifetimes count from there. */
  readonly nowMillis: number
}

const lookback = 20
const lifetime: Readonly<Record<Ttl, number>> = { "5m": 5 * 60_000, "1h": 60 * 60_000 }

interface Entry {
  readonly ttl: Ttl
  expiresAt: number
}

/** Indexes from `start` back over twenty positions; a run of tool calls or of results is one. */
const within = function* (positions: ReadonlyArray<Position>, start: number): Generator<Position> {
  let left = lookback
  let run: string | undefined
  for (let index = start; index >= 0; index--) {
    const position = positions[index]
    if (position === undefined) return
    if (position.run === undefined || position.run !== run) left--
    if (left < 0) return
    run = position.run
    yield position
  }
}

const split = (prompt: Prompt, read: number, breakpoints: ReadonlyArray<Position>): PromptBill => {
  const reach = (ttl: Ttl | undefined): number =>
    breakpoints.reduce((far, at) => (ttl === undefined || at.ttl === ttl ? Math.max(far, at.tokens) : far), 0)
  const toLong = Math.max(read, reach("1h"))
  const toLast = Math.max(toLong, reach(undefined))
  return { cacheRead: read, write1h: toLong - read, write5m: toLast - toLong, input: prompt.tokens - toLast }
}

/**
 * Upstream's prompt cache: writes at breakpoints only, reads up to twenty positions before one, five minutes or an hour
 * from the start of the last request that used it, nothing below the model's minimum. Holds `maxEntries` prefixes.
 */
export class PromptCache {
  readonly #entries: LRUCache<string, Entry>

  constructor(maxEntries: number) {
    this.#entries = new LRUCache({ max: maxEntries })
  }

  plan({ minCacheable, nowMillis, owner, prompt }: PlanRequest): CachePlan {
    const key = (position: Position): string => `${owner}\0${position.prefix}`
    const marked = prompt.positions.flatMap((position, index) =>
      position.ttl !== undefined && position.tokens >= minCacheable ? [{ position, index }] : []
    )
    let hit: Position | undefined
    for (const { index } of marked) {
      for (const position of within(prompt.positions, index)) {
        if (position.tokens <= (hit?.tokens ?? 0)) break
        if (!this.#alive(key(position), nowMillis)) continue
        hit = position
        break
      }
    }
    const breakpoints = marked.map(({ position }) => position)
    return {
      bill: split(prompt, hit?.tokens ?? 0, breakpoints),
      commit: () => {
        if (hit !== undefined) this.#refresh(key(hit), nowMillis)
        for (const at of breakpoints) this.#write(key(at), at.ttl ?? "5m", nowMillis)
      }
    }
  }

  #alive(name: string, now: number): boolean {
    const entry = this.#entries.get(name)
    return entry !== undefined && entry.expiresAt > now
  }

  #refresh(name: string, now: number): void {
    const entry = this.#entries.get(name)
    if (entry !== undefined) entry.expiresAt = Math.max(entry.expiresAt, now + lifetime[entry.ttl])
  }

  #write(name: string, ttl: Ttl, now: number): void {
    const entry = this.#entries.get(name)
    const expiresAt = Math.max(entry?.expiresAt ?? 0, now + lifetime[ttl])
    if (entry === undefined || entry.expiresAt <= now || ttl === "1h") this.#entries.set(name, { ttl, expiresAt })
    else entry.expiresAt = expiresAt
  }
}
