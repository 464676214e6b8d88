import { hash } from "node:crypto"
import { LRUCache } from "lru-cache"
import type { PreparedContext } from "../context/ContextManager.ts"
import { Event } from "../domain/Event.ts"
import { nanoUsd } from "../domain/Money.ts"
import { promptTokens } from "../domain/Usage.ts"
import type { Settlement } from "../governor/Governor.ts"
import type { Model } from "../models/ModelCatalog.ts"

/** One request that upstream answered. */
export interface Watched {
  readonly conversation: string
  readonly model: Model
  readonly prepared: PreparedContext
  readonly settlement: Settlement
  /** Milliseconds since the epoch, when it was sent. */
  readonly at: number
}

interface Last {
  readonly model: string
  readonly system: string
  readonly tools: string
  readonly tokens: number
  readonly at: number
}

const conversations = 1_000
/** A little less than upstream's five minutes: later the entry may have gone by itself. */
const lifetimeMillis = 4.5 * 60_000
/** A prompt that was read by less than this share of what was written before has missed. */
const enough = 0.5

const print = (value: unknown): string => hash("sha256", JSON.stringify(value) ?? "", "hex")

/**
 * Knows what upstream's prompt cache should hold of each conversation, and says when a request read much less of it than
 * it should have, without a compaction to explain it: what changed, and what that cost.
 */
export class CacheWatch {
  private readonly last = new LRUCache<string, Last>({ max: conversations })

  observe({ at, conversation, model, prepared, settlement }: Watched): Event | undefined {
    if (settlement.cache !== "miss" || settlement.partial) return undefined
    const { system, tools } = prepared
    const now: Last = {
      model: model.id,
      system: print(system),
      tools: print(tools),
      tokens: promptTokens(settlement.usage),
      at
    }
    const before = this.last.get(conversation)
    this.last.set(conversation, now)
    const expected = before === undefined ? 0 : before.tokens
    const explained = before === undefined || prepared.compaction !== undefined || at - before.at > lifetimeMillis
    const { cacheRead } = settlement.usage
    if (explained || expected < 2 * model.minCacheableTokens || cacheRead >= expected * enough) return undefined
    return Event.cases.PromptCacheMiss.make({
      conversation,
      model: model.id,
      cause: causeOf(before, now),
      expectedTokens: expected,
      readTokens: cacheRead,
      costNanoUsd: nanoUsd((expected - cacheRead) * (model.prices.cacheWrite5m - model.prices.cacheRead))
    })
  }
}

const causeOf = (before: Last, now: Last) => {
  if (before.model !== now.model) return "model" as const
  if (before.tools !== now.tools) return "tools" as const
  return before.system === now.system ? ("messages" as const) : ("system" as const)
}
