import { existsSync, readFileSync } from "node:fs"
import { isMessage, type Message } from "../../src/domain/Message.ts"
import { type ApiUsage, isMessagesRequest, type MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { fromApi, promptTokens, type Usage } from "../../src/domain/Usage.ts"

const data = new URL("../../../shared/data/", import.meta.url)

export const dataIsHere = existsSync(new URL("usage_deltas.jsonl", data))

const lines = (file: string): ReadonlyArray<Record<string, unknown>> =>
  readFileSync(new URL(file, data), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line))

/** Real tokens of the messages `[fromIndex, toIndex)` of a conversation. */
export interface Growth {
  readonly conversation: string
  readonly repository: string
  /** Index of the first message. */
  readonly from: number
  readonly model: string
  readonly actual: number
  readonly messages: ReadonlyArray<Message>
}

const conversations = new Map<string, ReadonlyArray<Message>>()

export const conversation = (name: string): ReadonlyArray<Message> => {
  const known = conversations.get(name) ?? lines(`conversations/${name}.jsonl`).filter(isMessage)
  conversations.set(name, known)
  return known
}

export const repositoryOf = (name: string): string => name.split("__")[0] ?? name

export const growths = (): ReadonlyArray<Growth> =>
  lines("usage_deltas.jsonl")
    .filter((line) => line.usable === true)
    .map((line) => {
      const name = String(line.conversation)
      return {
        conversation: name,
        repository: repositoryOf(name),
        from: Number(line.fromIndex),
        model: String(line.model),
        actual: Number(line.deltaTokens),
        messages: conversation(name).slice(Number(line.fromIndex), Number(line.toIndex))
      }
    })

export const conversationNames = (): ReadonlyArray<string> => [...new Set(growths().map((g) => g.conversation))]

/** One call of a logged conversation. */
export interface Call {
  readonly request: MessagesRequest
  readonly usage: Usage
  readonly actual: number
  /** Calls before it since the conversation began or was compacted by its client. */
  readonly number: number
  /** Something in the prompt since the call before is not in the log: reminders, images, another model. */
  readonly hidden: boolean
}

const isHidden = (message: Message): boolean =>
  Number(message.injectedChars ?? 0) > 0 || JSON.stringify(message.content).includes("[image omitted]")

/** The calls of a conversation in order. System prompt and tools are not in the log. */
export const calls = (name: string): ReadonlyArray<Call> => {
  const messages = conversation(name)
  const found: Array<Call> = []
  let start = 0
  let number = 0
  let before = 0
  messages.forEach((message, i) => {
    if (message.contextReset === true) {
      start = i
      number = 0
      before = i
    }
    if (message.role !== "assistant" || typeof message.usage !== "object" || message.usage === null) return
    const request = { model: String(message.model), max_tokens: 1, messages: messages.slice(start, i) }
    if (!isMessagesRequest(request) || request.messages.length === 0) return
    // The log keeps the API's own usage.
    const usage = fromApi(message.usage as ApiUsage)
    const hidden = messages.slice(before, i + 1).some(isHidden)
    found.push({ request, usage, actual: promptTokens(usage), number, hidden })
    number += 1
    before = i
  })
  return found
}
