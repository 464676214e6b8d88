import { isToolResult, isToolUse } from "../../domain/Message.ts"
import { type Checked, type MergedTurn, merged, type Placed, type Violation, violation } from "./Violation.ts"

const idsOf = (turn: MergedTurn | undefined, role: MergedTurn["role"]): ReadonlySet<string> =>
  new Set(
    turn?.role === role
      ? turn.blocks.flatMap(({ block }) =>
          role === "assistant" ? (isToolUse(block) ? [block.id] : []) : isToolResult(block) ? [block.tool_use_id] : []
        )
      : []
  )

const unanswered = (turn: MergedTurn, next: MergedTurn | undefined): ReadonlyArray<Violation> => {
  const answers = idsOf(next, "user")
  const missing = [...idsOf(turn, "assistant")].filter((id) => !answers.has(id))
  return missing.length === 0
    ? []
    : [
        violation(
          "tool_use_unanswered",
          `messages.${turn.index}`,
          `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${missing.join(", ")}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`
        )
      ]
}

const results = (turn: MergedTurn, previous: MergedTurn | undefined): ReadonlyArray<Violation> => {
  const asked = idsOf(previous, "assistant")
  const seen = new Set<string>()
  let textSeen = false
  return turn.blocks.flatMap(({ block, path }) => {
    if (!isToolResult(block)) {
      textSeen = true
      return []
    }
    const id = block.tool_use_id
    const repeated = seen.has(id)
    seen.add(id)
    if (!asked.has(id)) {
      const text = `unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${id}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`
      return [violation("tool_result_orphaned", path, text)]
    }
    if (repeated) {
      const text = `each tool_use must have a single result. Found multiple \`tool_result\` blocks with id: ${id}`
      return [violation("tool_result_repeated", path, text)]
    }
    if (textSeen) {
      const text = `\`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${id}. \`tool_result\` blocks must come first in the content of a user message.`
      return [violation("tool_result_first", path, text)]
    }
    return []
  })
}

const isServerUse = (type: string): boolean => type === "server_tool_use" || type === "mcp_tool_use"
const isServerResult = (type: string): boolean => type.endsWith("_tool_result") && type !== "tool_result"

const serverId = (placed: Placed): string | undefined => {
  const { block } = placed
  if (isServerUse(block.type)) return typeof block.id === "string" ? block.id : undefined
  return isServerResult(block.type) && typeof block.tool_use_id === "string" ? block.tool_use_id : undefined
}

const serverTools = (turns: ReadonlyArray<MergedTurn>): ReadonlyArray<Violation> => {
  const open = new Set<string>()
  const known = new Set<string>()
  return turns.flatMap((turn) => {
    if (turn.role === "user" && open.size > 0) {
      const other = turn.blocks.find(({ block }) => !isToolResult(block))
      if (other === undefined) return []
      const text = `\`server_tool_use\` ids were found without a result block: ${[...open].join(", ")}. Until they are resolved a user message may only contain \`tool_result\` blocks.`
      open.clear()
      return [violation("server_tool_unresolved", other.path, text)]
    }
    return turn.blocks.flatMap((at) => {
      const id = serverId(at)
      if (id === undefined) return []
      if (isServerUse(at.block.type)) {
        known.add(id)
        open.add(id)
        return []
      }
      open.delete(id)
      if (known.has(id)) return []
      const text = `unexpected \`tool_use_id\` found in \`${at.block.type}\` blocks: ${id}. Each \`${at.block.type}\` block must have a corresponding \`server_tool_use\` block before it.`
      return [violation("server_result_orphaned", at.path, text)]
    })
  })
}

const ids = (turns: ReadonlyArray<MergedTurn>): ReadonlyArray<Violation> => {
  const seen = new Set<string>()
  return turns.flatMap((turn) =>
    turn.blocks.flatMap(({ block, path }) => {
      if (!isToolUse(block)) return []
      if (!/^[a-zA-Z0-9_-]+$/.test(block.id)) {
        const text = "String should match pattern '^[a-zA-Z0-9_-]+$'"
        return [violation("tool_id_pattern", `${path}.tool_use.id`, text)]
      }
      if (seen.has(block.id)) return [violation("tool_id_unique", path, "`tool_use` ids must be unique")]
      seen.add(block.id)
      return []
    })
  )
}

/** Every tool call is answered in the next message, once and first in it; every answer has its call right before. */
export const toolPairRules = ({ request }: Checked): ReadonlyArray<Violation> => {
  const turns = merged(request.messages)
  return [
    ...ids(turns),
    ...turns.flatMap((turn, at) =>
      turn.role === "assistant"
        ? unanswered(turn, turns[at + 1])
        : turn.role === "user"
          ? results(turn, turns[at - 1])
          : []
    ),
    ...serverTools(turns)
  ]
}
