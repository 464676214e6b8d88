import { hash } from "node:crypto"
import { Predicate } from "effect"
import { LRUCache } from "lru-cache"
import type { PreparedContext } from "../context/ContextManager.ts"
import { askedUpstream, Event } from "../domain/Event.ts"
import type { AssistantMessage } from "../domain/MessagesRequest.ts"
import { nanoUsd } from "../domain/Money.ts"
import { promptTokens } from "../domain/Usage.ts"
import type { Settlement } from "../governor/Governor.ts"
import type { Model } from "../models/ModelCatalog.ts"

/** One request that upstream answered. */
export interface Watched {
  readonly conversation: string
  readonly model: Model
  readonly prepared: PreparedContext
  readonly message: AssistantMessage
  readonly settlement: Settlement
  /** Milliseconds since the epoch, when it was sent. */
  readonly at: number
}

interface Last {
  readonly messageId: string
  readonly model: string
  readonly system: string
  readonly tools: string
  readonly tokens: number
  /** When upstream may have forgotten it, in milliseconds since the epoch. */
  readonly until: number
}

const conversations = 1_000
/** A little less than upstream's five minutes, or hour: later the entry may have gone by itself. */
const lifetimeMillis = { short: 4.5 * 60_000, long: 54 * 60_000 }
/** A prompt that was read by less than this share of what was written before has missed. */
const enough = 0.5

type MissCause = Extract<Event, { readonly _tag: "PromptCacheMiss" }>["cause"]

const unmarkedAll = (blocks: unknown): unknown =>
  Array.isArray(blocks)
    ? blocks.map(({ cache_control: _, ...rest }: Readonly<Record<string, unknown>>) => rest)
    : blocks

const print = (value: unknown): string => hash("sha256", JSON.stringify(value) ?? "", "hex")

/** What upstream calls the reason of a miss (`diagnostics.cache_miss_reason.type`). */
const reasons: Readonly<Record<string, MissCause>> = {
  model_changed: "model",
  tools_changed: "tools",
  system_changed: "system",
  messages_changed: "messages"
}

/** Upstream's own diagnosis, where it has one. */
const diagnosed = ({ diagnostics }: AssistantMessage): MissCause | undefined => {
  const reason = Predicate.hasProperty(diagnostics, "cache_miss_reason") ? diagnostics.cache_miss_reason : undefined
  return Predicate.hasProperty(reason, "type") ? reasons[String(reason.type)] : undefined
}

/**
 * Knows what upstream's prompt cache should hold of each conversation, and says when a request read much less of it than
 * it should have, without a compaction to explain it: what changed, as upstream diagnoses it or as the requests show it,
 * and what that cost.
 */
export class CacheWatch {
  private readonly last = new LRUCache<string, Last>({ max: conversations })

  /** The message that upstream compares the next request with; null when there is none yet. */
  previousMessage(conversation: string): string | null {
    return this.last.get(conversation)?.messageId ?? null
  }

  /** What was sent since has other bytes, for a reason that is known: the next request may miss. */
  expectsNothing(conversation: string): void {
    const last = this.last.get(conversation)
    if (last !== undefined) this.last.set(conversation, { ...last, tokens: 0 })
  }

  observe({ at, conversation, message, model, prepared, settlement }: Watched): Event | undefined {
    if (!askedUpstream(settlement.cache) || settlement.partial) return undefined
    const { cacheControl, system, tools } = prepared
    const isLong = cacheControl?.ttl === "1h"
    const now: Last = {
      messageId: message.id,
      model: model.id,
      system: print(unmarkedAll(system)),
      tools: print(unmarkedAll(tools)),
      tokens: promptTokens(settlement.usage),
      until: at + lifetimeMillis[isLong ? "long" : "short"]
    }
    const before = this.last.get(conversation)
    this.last.set(conversation, now)
    if (before === undefined || prepared.compaction !== undefined) return undefined
    const { cacheRead } = settlement.usage
    const { cacheRead: read, cacheWrite1h, cacheWrite5m } = model.prices
    if (before.tokens < 2 * model.minCacheableTokens || cacheRead >= before.tokens * enough) return undefined
    return Event.cases.PromptCacheMiss.make({
      conversation,
      model: model.id,
      cause: at > before.until ? "expired" : (diagnosed(message) ?? causeOf(before, now)),
      expectedTokens: before.tokens,
      readTokens: cacheRead,
      costNanoUsd: nanoUsd((before.tokens - cacheRead) * ((isLong ? cacheWrite1h : cacheWrite5m) - read))
    })
  }
}

const causeOf = (before: Last, now: Last): MissCause => {
  if (before.model !== now.model) return "model"
  if (before.tools !== now.tools) return "tools"
  return before.system === now.system ? "messages" : "system"
}
