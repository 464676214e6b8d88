import { Predicate } from "effect"
import { blocksOf, type Content, isToolResult, isToolUse, type ToolUseBlock } from "../../domain/Message.ts"
import { readable, wordsOf } from "../excerpt.ts"

/** Which tools a message calls or answers for, and the words by which the sub-agents in it are known. */
export interface Mentions {
  readonly tools: ReadonlySet<string>
  readonly agents: ReadonlySet<string>
}

/** A tool's name as it can be stored: upstream's own are shorter. */
export const toolNamed = (name: string): string =>
  name
    .replace(/\p{C}+/gu, " ")
    .slice(0, 200)
    .toWellFormed()

/** Where calls that create or command a sub-agent say whom they mean. */
const nameFields = [
  ...["name", "agent_name", "agent", "agent_id", "agentId", "to", "resume", "description", "subagent_type"]
]

const agentIds = /\b(?:agent_?id|task_?id|id)["']?\s*[:=]\s*["']?([\w-]+)/gi
const mostIds = 8

const namedIn = ({ input, name }: ToolUseBlock): ReadonlyArray<string> => {
  const values = nameFields.map((field) => (Predicate.hasProperty(input, field) ? input[field] : undefined))
  const words = values.filter(Predicate.isString).flatMap((value) => wordsOf(value.slice(0, 400)))
  return words.length > 0 ? words : wordsOf(name)
}

const idsIn = (result: string): ReadonlyArray<string> =>
  Array.from(result.slice(0, 20_000).matchAll(agentIds))
    .slice(0, mostIds)
    .flatMap(([, id]) => wordsOf(id ?? ""))

/** Follows a conversation message by message: a result belongs to the tool and the agent of its call. */
export class Following {
  private readonly calls = new Map<string, ToolUseBlock>()
  private readonly agentTools: ReadonlySet<string>

  constructor(agentTools: ReadonlySet<string>) {
    this.agentTools = agentTools
  }

  /** Calls without what they mention: for messages that only lie before the ones of interest. */
  remember(content: Content): void {
    for (const block of blocksOf(content)) if (isToolUse(block)) this.calls.set(block.id, block)
  }

  next(content: Content): Mentions {
    const tools = new Set<string>()
    const agents = new Set<string>()
    const add = (words: ReadonlyArray<string>) => {
      for (const word of words) agents.add(word)
    }
    this.remember(content)
    for (const block of blocksOf(content)) {
      const call = isToolUse(block) ? block : isToolResult(block) ? this.calls.get(block.tool_use_id) : undefined
      if (call === undefined) continue
      tools.add(toolNamed(call.name))
      if (!this.agentTools.has(call.name)) continue
      add(namedIn(call))
      if (isToolResult(block)) add(idsIn(readable([block])))
    }
    return { tools, agents }
  }
}

/** Ids of calls that these contents answer and do not hold. */
export const callsBefore = (contents: ReadonlyArray<Content>): ReadonlyArray<string> => {
  const blocks = contents.flatMap(blocksOf)
  const made = new Set(blocks.filter(isToolUse).map(({ id }) => id))
  return blocks.filter(isToolResult).flatMap(({ tool_use_id: id }) => (made.has(id) ? [] : [id]))
}

/** The asked agent's name, or a part of it, in any order; something must be asked. */
export const isAbout = (
  { agents, tools }: Mentions,
  asked: { readonly tool?: string | undefined; readonly agent?: string | undefined }
): boolean => {
  if (asked.tool !== undefined && !tools.has(toolNamed(asked.tool))) return false
  if (asked.agent === undefined) return true
  const words = wordsOf(asked.agent)
  return words.length > 0 && words.every((word) => agents.has(word))
}
