import { LRUCache } from "lru-cache"
import type { Caller } from "../domain/Caller.ts"
import { format, type NanoUsd } from "../domain/Money.ts"
import { promptTokens, type Usage, zero } from "../domain/Usage.ts"
import { isCheaper } from "./Ladder.ts"
import type { Model } from "./Model.ts"
import { price } from "./Pricing.ts"

/** What upstream's prompt cache holds of a conversation, for the model that answered last. */
interface Held {
  readonly model: Model
  /** Tokens. */
  readonly cached: number
  /** Tokens of the last answer. */
  readonly output: number
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

export interface LastModels {
  /** To be told of every whole answer; `at`: when it was sent, in milliseconds since the epoch. */
  readonly learn: (caller: Caller, model: Model, usage: Usage, at: number) => void
  /**
   * The model to stay with, and why, when going to the cheaper `target` costs more than it saves. Undefined otherwise, and
   * for a dearer one, which was not chosen for its price.
   */
  readonly dearToLeave: (
    caller: Caller,
    target: Model,
    now: number
  ) => { readonly model: Model; readonly why: string } | undefined
}

const conversations = 10_000
const fiveMinutes = 300_000
const oneHour = 3_600_000

const keyOf = ({ conversation, tenant }: Caller): string | undefined =>
  conversation === undefined ? undefined : `${tenant}\n${conversation}`

/** What the next request would cost here, as far as the models differ: the known prompt and an answer like the last. */
const stayCost = ({ cached, model, output }: Held): NanoUsd => price(model, { ...zero, cacheRead: cached, output })
const leaveCost = ({ cached, output }: Held, target: Model): NanoUsd =>
  price(target, { ...zero, cacheWrite5m: cached, output })

/**
 * Remembers which model last read each conversation's prompt from upstream's cache. Going to another model means writing
 * that prompt again: it is worth it when the next answer already saves more than that. Only the next request counts: whether
 * there will be another one nobody knows, and five minutes of silence empty the cache anyway. Bounded, pure memory.
 */
export const makeLastModels = (): LastModels => {
  const memory = new LRUCache<string, Held>({ max: conversations })
  return {
    learn: (caller, model, usage, at) => {
      const key = keyOf(caller)
      const written = usage.cacheWrite5m + usage.cacheWrite1h
      const cached = Math.min(usage.cacheRead + written, promptTokens(usage))
      // A side question without a cached prompt leaves the conversation's own prompt where it is.
      if (key === undefined || cached === 0) return
      const before = memory.get(key)
      const kept = before?.model.id === model.id && usage.cacheRead > 0 ? before.expiresAt : 0
      const expiresAt = Math.max(at + (usage.cacheWrite1h > 0 ? oneHour : fiveMinutes), kept)
      memory.set(key, { model, cached, output: usage.output, expiresAt })
    },
    dearToLeave: (caller, target, now) => {
      const key = keyOf(caller)
      const held = key === undefined ? undefined : memory.get(key)
      if (held === undefined || now >= held.expiresAt || !isCheaper(target, held.model)) return undefined
      const stay = stayCost(held)
      const leave = leaveCost(held, target)
      if (leave < stay) return undefined
      const why = `${held.cached} tokens of the conversation are cached for ${held.model.id}: the next request costs about ${format(stay)} there and ${format(leave)} on ${target.id}.`
      return { model: held.model, why }
    }
  }
}
