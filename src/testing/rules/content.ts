import { type ContentBlock, isText, isToolResult, type Message } from "../../domain/Message.ts"
import { type Checked, type Placed, placed, type Rule, type Violation, violation } from "./Violation.ts"

/** The path is exact; the wording names only `messages` or `system`, as upstream's does. */
const blankText = (block: ContentBlock, path: string, blankAllowed: boolean): ReadonlyArray<Violation> => {
  if (!isText(block)) return []
  const where = path.startsWith("system") ? "system" : "messages"
  if (block.text === "") {
    return [{ rule: "text_empty", path, message: `${where}: text content blocks must be non-empty` }]
  }
  return !blankAllowed && block.text.trim() === ""
    ? [{ rule: "text_blank", path, message: `${where}: text content blocks must contain non-whitespace text` }]
    : []
}

const onlyIn: Readonly<Record<string, Message["role"]>> = {
  tool_use: "assistant",
  thinking: "assistant",
  redacted_thinking: "assistant",
  server_tool_use: "assistant",
  tool_result: "user",
  image: "user",
  document: "user"
}

const roleOf = ({ block, path }: Placed, role: Message["role"]): ReadonlyArray<Violation> => {
  const wanted = Object.hasOwn(onlyIn, block.type) ? onlyIn[block.type] : undefined
  return wanted === undefined || wanted === role
    ? []
    : [violation("block_role", path, `\`${block.type}\` blocks can only be in \`${wanted}\` messages`)]
}

const signature = ({ block, path }: Placed): ReadonlyArray<Violation> => {
  const field = (name: string, text: string, rule: Rule = "thinking_signature") => [
    violation(rule, `${path}.${block.type}.${name}`, text)
  ]
  if (block.type === "redacted_thinking") return typeof block.data === "string" ? [] : field("data", "Field required")
  if (block.type !== "thinking") return []
  if (typeof block.thinking !== "string") return field("thinking", "Field required")
  if (typeof block.signature !== "string") return field("signature", "Field required")
  return block.signature === ""
    ? [violation("thinking_signature", path, "Invalid `signature` in `thinking` block")]
    : []
}

const nested = ({ block, path }: Placed): ReadonlyArray<Violation> =>
  isToolResult(block) && typeof block.content === "object"
    ? block.content.flatMap((inner, at) => blankText(inner, `${path}.content.${at}`, true))
    : []

const ofMessage = (message: Message, index: number, isLast: boolean): ReadonlyArray<Violation> => {
  // Only a prefill may be empty.
  if (message.content.length === 0) {
    return isLast && message.role === "assistant"
      ? []
      : [violation("content_required", `messages.${index}`, `${message.role} messages must have non-empty content`)]
  }
  return placed(message, index).flatMap((at) => [
    ...blankText(at.block, at.path, false),
    ...roleOf(at, message.role),
    ...signature(at),
    ...nested(at)
  ])
}

/** What a message may be made of: no blank text, blocks in the role they belong to, signed thinking. */
export const contentRules = ({ request, system }: Checked): ReadonlyArray<Violation> => [
  ...(typeof system === "string" ? [] : system.flatMap((block, at) => blankText(block, `system.${at}`, false))),
  ...request.messages.flatMap((message, index) => ofMessage(message, index, index === request.messages.length - 1))
]
