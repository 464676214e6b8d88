import { Predicate } from "effect"
import type { Agent } from "../domain/Conversation.ts"
import type { ToolResultBlock, ToolUseBlock } from "../domain/Message.ts"

/** Where tools of the kind of `Task`, `create_agent` or `command_agent` say whom they mean, best first. */
const nameFields = ["name", "agent_name", "agent", "agent_id", "agentId", "to", "description", "subagent_type"]
const longestName = 200
const commands = /command|send|message|tell|resume/i

const nameIn = (input: unknown): string | undefined => {
  for (const field of nameFields) {
    const value = Predicate.hasProperty(input, field) ? input[field] : undefined
    const name = typeof value === "string" ? value.replace(/[\p{Cc}\s]+/gu, " ").trim() : ""
    if (name !== "") return name.slice(0, longestName).toWellFormed()
  }
  return undefined
}

/** A sub-agent as a call shows it: `created` or `commanded`, at message `seq`. */
const calledAgent = (use: ToolUseBlock, lastSeq: number, updatedAt: number): Agent => ({
  name: nameIn(use.input) ?? use.name,
  status: commands.test(use.name) ? "commanded" : "created",
  lastSeq,
  updatedAt
})

/** The later of two calls of one agent wins. */
const byName = (agents: ReadonlyArray<Agent>): ReadonlyArray<Agent> => [
  ...new Map(agents.map((agent) => [agent.name, agent])).values()
]

/** The sub-agents that these calls create or command. */
export const called = (
  uses: ReadonlyArray<ToolUseBlock>,
  agentTools: ReadonlySet<string>,
  { at, seq }: { readonly seq: number; readonly at: number }
): ReadonlyArray<Agent> =>
  byName(uses.filter((use) => agentTools.has(use.name)).map((use) => calledAgent(use, seq, at)))

/** The same sub-agents when their results are in: `done`, or `failed`. */
export const answered = (
  uses: ReadonlyArray<ToolUseBlock>,
  results: ReadonlyArray<ToolResultBlock>,
  agentTools: ReadonlySet<string>,
  { at, seq }: { readonly seq: number; readonly at: number }
): ReadonlyArray<Agent> => {
  const failed = new Set(results.filter((result) => result.is_error === true).map((result) => result.tool_use_id))
  return byName(
    uses
      .filter((use) => agentTools.has(use.name))
      .map((use) => ({ ...calledAgent(use, seq, at), status: failed.has(use.id) ? "failed" : "done" }))
  )
}
