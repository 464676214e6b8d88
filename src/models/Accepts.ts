import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Model } from "./Model.ts"

const typeOf = (u: unknown): unknown => (typeof u === "object" && u !== null && "type" in u ? u.type : undefined)

/** Few characters a token: a prompt that might be too long counts as too long. */
const charsPerToken = 2.5

/** Characters in a value's texts; stops counting above `most`. */
const charsIn = (value: unknown, most: number): number => {
  if (typeof value === "string") return value.length
  if (typeof value !== "object" || value === null) return 0
  let chars = 0
  for (const part of Object.values(value)) {
    chars += charsIn(part, most - chars)
    if (chars > most) break
  }
  return chars
}

const isTooLong = ({ contextWindow }: Model, { max_tokens, messages, system, tools }: MessagesRequest): boolean => {
  const most = Math.max(0, contextWindow - max_tokens) * charsPerToken
  return charsIn([system, tools, messages], most) > most
}

/**
 * Why a model cannot take a request that was written for another; undefined when it can. Knows what models differ in
 * (reference: Messages API, models): output, window, thinking modes, forced tools, prefill, fast mode.
 */
export const refusal = (model: Model, request: MessagesRequest): string | undefined => {
  const { id } = model
  if (request.compaction !== undefined && request.compaction !== null) return "did not write what is to be compacted"
  if (request.max_tokens > model.maxOutput) return `cannot write ${request.max_tokens} tokens`
  const thinking = typeOf(request.thinking)
  if (thinking === "enabled" && /(fable|mythos|opus|sonnet|haiku)-5|opus-4-[78]/.test(id)) {
    return "takes no thinking budget"
  }
  if (thinking === "disabled" && /fable|mythos|(opus|sonnet)-5-5/.test(id)) return "always thinks"
  const choice = typeOf(request.tool_choice)
  if ((choice === "any" || choice === "tool") && /(opus|sonnet)-5-5|(fable|mythos)-5-1/.test(id)) {
    return "cannot be forced to use a tool"
  }
  if (request.messages.at(-1)?.role === "assistant") return "may not continue an answer that was begun"
  if (request.speed === "fast" && model.fast === undefined) return "has no fast mode"
  return isTooLong(model, request) ? "may be too small for the prompt" : undefined
}
