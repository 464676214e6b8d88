import { LRUCache } from "lru-cache"
import type { MessagesRequest } from "../../domain/MessagesRequest.ts"
import type { Prompt } from "./Prompt.ts"

interface Fingerprint {
  readonly model: string
  readonly prompt: Prompt
}

const fieldOf = (u: unknown, name: string): unknown =>
  typeof u === "object" && u !== null ? Object.getOwnPropertyDescriptor(u, name)?.value : undefined

const reason = (before: Fingerprint, now: Fingerprint, read: number): object | null => {
  const missed = (type: string) => ({ type, cache_missed_input_tokens: Math.max(0, before.prompt.tokens - read) })
  if (before.model !== now.model) return missed("model_changed")
  if (before.prompt.heads.tools !== now.prompt.heads.tools) return missed("tools_changed")
  if (before.prompt.heads.system !== now.prompt.heads.system) return missed("system_changed")
  const last = before.prompt.positions.at(-1)?.prefix
  return now.prompt.positions.some(({ prefix }) => prefix === last) ? null : missed("messages_changed")
}

/**
 * Why upstream's prompt cache could not serve a request as far as the request named by `diagnostics.previous_message_id`
 * went. Remembers the latest requests that opted in.
 */
export class Diagnoses {
  readonly #asked = new LRUCache<string, Fingerprint>({ max: 1_000 })

  /** The answer's `diagnostics`: null when the request did not ask. */
  diagnose({ diagnostics, model }: MessagesRequest, messageId: string, prompt: Prompt, read: number): object | null {
    if (typeof diagnostics !== "object" || diagnostics === null) return null
    const previous = fieldOf(diagnostics, "previous_message_id")
    const now = { model, prompt }
    this.#asked.set(messageId, now)
    if (typeof previous !== "string") return { cache_miss_reason: null }
    const before = this.#asked.get(previous)
    if (before === undefined) return { cache_miss_reason: { type: "previous_message_not_found" } }
    return { cache_miss_reason: reason(before, now, read) }
  }
}
