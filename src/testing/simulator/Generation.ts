import type { ContentBlock } from "../../domain/Message.ts"
import { isText, isToolUse } from "../../domain/Message.ts"
import type { ApiUsage, AssistantMessage, MessagesRequest } from "../../domain/MessagesRequest.ts"
import type { PromptBill } from "./PromptCache.ts"
import type { Answer } from "./Responder.ts"
import type { SimulatedModel } from "./SimulatedModel.ts"
import { scaled, type Tokenizer } from "./Tokenizer.ts"

/** `usage` as upstream reports it for a prompt, before any output. */
export const promptUsage = (bill: PromptBill): ApiUsage => ({
  input_tokens: bill.input,
  cache_creation_input_tokens: bill.write5m + bill.write1h,
  cache_read_input_tokens: bill.cacheRead,
  cache_creation: { ephemeral_5m_input_tokens: bill.write5m, ephemeral_1h_input_tokens: bill.write1h },
  output_tokens: 0,
  server_tool_use: null,
  service_tier: "standard",
  inference_geo: "global"
})

interface Stopped {
  readonly content: ReadonlyArray<ContentBlock>
  readonly stopReason: string
  readonly stopSequence: string | null
}

const sequences = (request: MessagesRequest): ReadonlyArray<string> =>
  Array.isArray(request.stop_sequences) ? request.stop_sequences.filter((s) => typeof s === "string" && s !== "") : []

const stopAt = (content: ReadonlyArray<ContentBlock>, stops: ReadonlyArray<string>): Stopped | undefined => {
  for (const [index, block] of content.entries()) {
    if (!isText(block)) continue
    const found = stops.map((stop) => ({ stop, at: block.text.indexOf(stop) })).filter(({ at }) => at >= 0)
    const first = found.sort((a, b) => a.at - b.at)[0]
    if (first === undefined) continue
    const cut = { ...block, text: block.text.slice(0, first.at) }
    return { content: [...content.slice(0, index), cut], stopReason: "stop_sequence", stopSequence: first.stop }
  }
  return undefined
}

const stopped = (answer: Answer, request: MessagesRequest): Stopped => {
  const cut = stopAt(answer.content, sequences(request))
  if (cut !== undefined) return cut
  const natural = answer.content.some(isToolUse) ? "tool_use" : "end_turn"
  return { content: answer.content, stopReason: answer.stopReason ?? natural, stopSequence: null }
}

/** Keeps the share of the text that fits; calls that do not fit are dropped, as a truncated answer has none complete. */
const truncated = (content: ReadonlyArray<ContentBlock>, share: number): ReadonlyArray<ContentBlock> =>
  content
    .filter(isText)
    .map((block) => ({ ...block, text: block.text.slice(0, Math.floor(block.text.length * share)) }))
    .filter((block) => block.text.trim() !== "")

export interface GenerateOptions {
  readonly answer: Answer
  readonly request: MessagesRequest
  readonly model: SimulatedModel
  readonly tokenizer: Tokenizer
  readonly bill: PromptBill
  readonly messageId: string
  readonly toolUseId: (index: number) => string
}

/** Makes the whole message: ids, stop sequences, `max_tokens`, and usage counted on what is left. */
export const generate = (options: GenerateOptions): AssistantMessage => {
  const { answer, bill, messageId, model, request, tokenizer, toolUseId } = options
  const stop = stopped(answer, request)
  const content = stop.content.map((block, index) =>
    isToolUse(block) && block.id === "" ? { ...block, id: toolUseId(index) } : block
  )
  const counted = content.reduce((total, block) => total + scaled(tokenizer.block(block), model.scale), 0)
  const wanted = answer.outputTokens ?? Math.max(1, counted)
  const over = wanted > request.max_tokens
  return {
    id: messageId,
    type: "message",
    role: "assistant",
    model: model.id,
    content: over ? truncated(content, request.max_tokens / wanted) : content,
    stop_reason: over ? "max_tokens" : stop.stopReason,
    stop_sequence: over ? null : stop.stopSequence,
    usage: { ...promptUsage(bill), output_tokens: Math.min(wanted, request.max_tokens) }
  }
}
