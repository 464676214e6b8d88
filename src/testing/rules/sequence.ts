import { asksForCompaction } from "./compaction.ts"
import { acceptsPrefill, acceptsSystemMessages } from "./models.ts"
import { type Checked, type MergedTurn, merged, type Violation, violation } from "./Violation.ts"

const maxMessages = 100_000

const isServerBlock = (type: string): boolean =>
  type === "server_tool_use" ||
  type === "mcp_tool_use" ||
  (type.endsWith("_tool_result") && type !== "tool_result" && type !== "mcp_tool_result")

const endsInServerTool = (turn: MergedTurn | undefined): boolean =>
  turn?.role === "assistant" && isServerBlock(turn.blocks.at(-1)?.block.type ?? "")

const first = (turns: ReadonlyArray<MergedTurn>): ReadonlyArray<Violation> => {
  const turn = turns[0]
  if (turn === undefined || turn.role !== "assistant") return []
  return turn.blocks[0]?.block.type === "compaction"
    ? []
    : [violation("first_message_user", "messages", 'first message must use the "user" role')]
}

const systemPlacement = (model: string, turns: ReadonlyArray<MergedTurn>): ReadonlyArray<Violation> =>
  turns.flatMap((turn, at) => {
    if (turn.role !== "system") return []
    const path = `messages.${turn.index}`
    if (!acceptsSystemMessages(model)) {
      return [violation("system_placement", path, `role "system" is not supported for messages on ${model}`)]
    }
    const previous = turns[at - 1]
    const next = turns[at + 1]
    const afterAllowed = previous?.role === "user" || endsInServerTool(previous)
    const beforeAllowed = next === undefined || next.role === "assistant"
    return afterAllowed && beforeAllowed
      ? []
      : [
          violation(
            "system_placement",
            path,
            'a "system" message must follow a user turn (or an assistant turn ending in a server tool result) and be last or followed by an assistant turn'
          )
        ]
  })

const last = (model: string, turns: ReadonlyArray<MergedTurn>): ReadonlyArray<Violation> => {
  const turn = turns.at(-1)
  if (turn?.role !== "assistant" || endsInServerTool(turn)) return []
  const end = turn.blocks.at(-1)
  if (end?.block.type === "tool_use") return []
  if (!acceptsPrefill(model)) {
    return [
      violation(
        "prefill_unsupported",
        "messages",
        "This model does not support assistant message prefill. The conversation must end with a user message."
      )
    ]
  }
  return typeof end?.block.text === "string" && /\s$/.test(end.block.text)
    ? [violation("trailing_whitespace", "messages", "final assistant content cannot end with trailing whitespace")]
    : []
}

/** Which roles may stand where; how many messages there may be. */
export const sequenceRules = ({ request }: Checked): ReadonlyArray<Violation> => {
  const { messages, model } = request
  if (messages.length === 0) {
    return [violation("messages_required", "messages", "at least one message is required")]
  }
  const turns = merged(messages)
  return [
    ...(messages.length > maxMessages
      ? [violation("too_many_messages", "messages", `at most ${maxMessages} messages are allowed`)]
      : []),
    ...first(turns),
    ...systemPlacement(model, turns),
    // What is to be compacted may end with an answer.
    ...(asksForCompaction(request) ? [] : last(model, turns))
  ]
}
