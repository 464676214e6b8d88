import { type ContentBlock, isText, isToolResult, type Message } from "../../domain/Message.ts"
import type { MessagesRequest } from "../../domain/MessagesRequest.ts"
import { askedSchema, structured } from "./Structured.ts"

/** An answer before it is counted: its blocks, and optionally why it stopped and how many tokens it took. */
export interface Answer {
  readonly content: ReadonlyArray<ContentBlock>
  readonly stopReason?: string | undefined
  /** Counted from the content otherwise. */
  readonly outputTokens?: number | undefined
}

/** Decides the answer; undefined leaves it to the next rule. */
export type Rule = (request: MessagesRequest) => Answer | undefined

export const text = (value: string): ContentBlock => ({ type: "text", text: value })

/** An answer of one text block. */
export const say = (value: string): Answer => ({ content: [text(value)] })

/** An answer that calls tools; ids are made when it is sent. */
export const callTools = (...calls: ReadonlyArray<{ readonly name: string; readonly input: unknown }>): Answer => ({
  content: calls.map(({ input, name }) => ({ type: "tool_use", id: "", name, input }))
})

const lastUser = (request: MessagesRequest): Message | undefined =>
  request.messages.findLast((message) => message.role === "user")

const textOf = (message: Message | undefined): string => {
  if (message === undefined) return ""
  if (typeof message.content === "string") return message.content
  return message.content
    .filter(isText)
    .map((block) => block.text)
    .join("\n")
}

const resultOf = (message: Message | undefined): string | undefined => {
  if (message === undefined || typeof message.content === "string") return undefined
  const result = message.content.findLast(isToolResult)
  if (result === undefined) return undefined
  return typeof result.content === "object"
    ? result.content
        .filter(isText)
        .map((block) => block.text)
        .join("\n")
    : (result.content ?? "")
}

const shorten = (value: string): string => (value.length > 200 ? `${value.slice(0, 200)}…` : value)

const directive = /\[\[tool:([\w-]+)(?:\s+(\{[\s\S]*?\}))?\s*\]\]/g

const parse = (json: string | undefined): unknown => {
  try {
    return JSON.parse(json ?? "{}")
  } catch {
    return undefined
  }
}

const directed: Rule = (request) => {
  const offered = new Set((request.tools ?? []).map((tool) => tool.name))
  const calls = [...textOf(lastUser(request)).matchAll(directive)].flatMap(([, name = "", json]) => {
    const input = parse(json)
    return input !== undefined && offered.has(name) ? [{ name, input }] : []
  })
  return calls.length === 0 ? undefined : callTools(...calls)
}

const filler = (request: MessagesRequest): Answer | undefined => {
  const [, count] = /\[\[tokens:(\d+)\]\]/.exec(textOf(lastUser(request))) ?? []
  if (count === undefined) return undefined
  const outputTokens = Math.max(1, Number(count))
  return { ...say("word ".repeat(Math.ceil(outputTokens / 1.5)).trim()), outputTokens }
}

const forced: Rule = (request) => {
  const choice = request.tool_choice
  if (typeof choice !== "object" || choice === null || !("type" in choice)) return undefined
  const name = choice.type === "any" ? request.tools?.[0]?.name : "name" in choice ? choice.name : undefined
  return (choice.type === "any" || choice.type === "tool") && typeof name === "string"
    ? callTools({ name, input: {} })
    : undefined
}

const formatted: Rule = (request) => {
  const schema = askedSchema(request)
  return schema === undefined ? undefined : say(structured(schema, textOf(lastUser(request))))
}

const echo = (request: MessagesRequest): Answer => {
  const message = lastUser(request)
  const asked = textOf(message).trim()
  const result = resultOf(message)
  if (result !== undefined) return say(`The tool answered: ${shorten(result)}`)
  return say(`Simulated answer to: ${shorten(asked)}`)
}

/**
 * The answer to a request, decided by the request alone, in this order:
 *
 * 1. `rule`, the caller's own;
 * 2. `[[tool:NAME {json}]]` in the last user text, when such a tool is offered: a call of it; several make parallel calls;
 * 3. a forced `tool_choice`: a call with empty input;
 * 4. `[[tokens:N]]` in the last user text: filler billed as exactly N output tokens;
 * 5. a JSON schema (`output_config.format`): an object that follows it, its strings taken from the last user text;
 * 6. after a tool result: "The tool answered: …";
 * 7. otherwise: "Simulated answer to: …" with the first 200 characters of the last user text.
 */
export const respond = (request: MessagesRequest, rule: Rule | undefined): Answer =>
  rule?.(request) ?? directed(request) ?? forced(request) ?? filler(request) ?? formatted(request) ?? echo(request)
