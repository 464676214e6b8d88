import { Effect } from "effect"
import { isContent } from "../../domain/Message.ts"
import { isMessagesRequest, type MessagesRequest } from "../../domain/MessagesRequest.ts"
import { invalid, type Refusal } from "./Failure.ts"

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const required = ["model", "max_tokens", "messages"]

const isTools = (value: unknown): boolean => Array.isArray(value) && value.every(isFields)

/** What nobody could govern, in upstream's words. The rest is upstream's to judge. */
const complaint = (body: unknown): string | undefined => {
  if (!isFields(body)) return "The request body is no JSON object."
  for (const field of required) if (!(field in body)) return `${field}: Field required`
  if (typeof body.model !== "string") return "model: Input should be a valid string"
  if (typeof body.max_tokens !== "number") return "max_tokens: Input should be a valid integer"
  // Upstream might take "true" or 1 for true, and would then bill a stream that nobody here reads as one.
  if (body.stream !== undefined && body.stream !== null && typeof body.stream !== "boolean") {
    return "stream: Input should be a valid boolean"
  }
  if (!isMessagesRequest(body)) {
    return "messages: Input should be a list of messages, each with a role (user, assistant or system) and content (a string or content blocks)"
  }
  if (body.system !== undefined && !isContent(body.system)) return "system: Input should be a string or text blocks"
  if (body.tools !== undefined && !isTools(body.tools)) return "tools: Input should be a valid list"
  return undefined
}

/** Null is how some clients leave a field out. */
const withoutNulls = (body: unknown): unknown => {
  if (!isFields(body) || (body.system !== null && body.tools !== null)) return body
  const { system, tools, ...rest } = body
  return { ...rest, ...(system === null ? {} : { system }), ...(tools === null ? {} : { tools }) }
}

/** The decoded copy of a body, as far as governing needs to understand it. */
export const asRequest = (decoded: unknown): Effect.Effect<MessagesRequest, Refusal> => {
  const body = withoutNulls(decoded)
  const wrong = complaint(body)
  // `complaint` has looked at everything the type promises.
  return wrong === undefined ? Effect.succeed(body as MessagesRequest) : Effect.fail(invalid(wrong))
}
