import type { ToolUseBlock } from "../domain/Message.ts"
import { oneLine } from "./Text.ts"

/** The first of these string fields that says something, on one line. */
export const field = (input: unknown, ...names: ReadonlyArray<string>): string => {
  if (typeof input !== "object" || input === null) return ""
  for (const name of names) {
    const value = Object.getOwnPropertyDescriptor(input, name)?.value
    if (typeof value === "string" && value.trim().length > 0) return oneLine(value)
  }
  return ""
}

/** What a sub-agent is called, from the call that created or commanded it. */
export const agentName = (block: ToolUseBlock): string =>
  field(block.input, "description", "name", "agent_name", "agent", "agentId", "agent_id", "subagent_type", "to")

/** The agent's own id, as its tool reported it; empty when it did not. */
export const agentId = (result: string): string =>
  /\b(?:agent_?id|task_?id|id)["']?\s*[:=]\s*["']?[\w-]+/i.exec(result)?.[0] ?? ""
