import { clip, oneLine } from "../../context/Text.ts"
import type { StoredMessage } from "../../domain/Conversation.ts"
import { blocksOf, isText, isToolUse, startsTurn } from "../../domain/Message.ts"

interface Noted {
  readonly request: string | undefined
  readonly agents: ReadonlyArray<string>
  readonly tools: ReadonlyArray<string>
}

const name = (input: unknown): string => {
  if (typeof input !== "object" || input === null) return ""
  const { agent_name, description, name } = input as Readonly<Record<string, unknown>>
  return [name, agent_name, description].find((value): value is string => typeof value === "string") ?? ""
}

/**
 * The seed's rule-based summarizer, rebuilt from its description (agents created, what the user requested, tools used,
 * shortened to a few lines). Kept to compare against, used by nothing else.
 */
export class SeedSummary {
  private readonly notes: ReadonlyArray<Noted>

  constructor(history: ReadonlyArray<StoredMessage>, agentTools: ReadonlySet<string>) {
    this.notes = history.map((message) => note(message, agentTools))
  }

  text(from: number, to: number, label: "Earlier" | "Recent"): string {
    if (to <= from) return ""
    const notes = this.notes.slice(from, to)
    const requests = notes.flatMap((n) => n.request ?? []).slice(label === "Earlier" ? -10 : -15)
    const agents = Array.from(new Set(notes.flatMap((n) => n.agents))).slice(-15)
    const tools = Array.from(new Set(notes.flatMap((n) => n.tools)))
    return [
      `[Summary]: ${label} conversation (${to - from} messages):`,
      agents.length > 0 ? `  - Created agents: ${agents.join(", ")}` : "",
      requests.length > 0 ? `  - User requested: ${requests.join("; ")}` : "",
      tools.length > 0 ? `  - Tools used: ${tools.join(", ")}` : ""
    ]
      .filter((line) => line !== "")
      .join("\n")
  }
}

const note = (message: StoredMessage, agentTools: ReadonlySet<string>): Noted => {
  const blocks = blocksOf(message.content)
  const uses = blocks.filter(isToolUse)
  const said = startsTurn(message)
    ? oneLine(
        blocks
          .filter(isText)
          .map((b) => b.text)
          .join(" ")
      )
    : ""
  return {
    request: said === "" ? undefined : clip(said, 100),
    agents: uses
      .filter((use) => agentTools.has(use.name))
      .map((use) => clip(name(use.input), 60))
      .filter((n) => n !== ""),
    tools: uses.map((use) => use.name)
  }
}
