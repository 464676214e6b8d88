import { Effect, Schema } from "effect"
import type { StoredMessage } from "../domain/Conversation.ts"
import { blocksOf, isText, isToolResult, isToolUse, startsTurn, type ToolUseBlock } from "../domain/Message.ts"
import { agentId, agentName } from "./Agents.ts"
import { filesText, gatherFiles } from "./Files.ts"
import { clip, oneLine, textOf } from "./Text.ts"

const Line = Schema.Struct({ seq: Schema.Natural, text: Schema.String })
const File = Schema.Struct({ seq: Schema.Natural, path: Schema.String, written: Schema.Boolean })
const AgentLine = Schema.Struct({ seq: Schema.Natural, name: Schema.String, id: Schema.String })

/**
 * What holds for the whole conversation, however long ago it was said: the user's standing instructions, the agents, the
 * files, and pinned messages. Written behind the youngest segment at a compaction; between two of them it stays as it is.
 */
export const Standing = Schema.Struct({
  instructions: Schema.Array(Line),
  agents: Schema.Array(AgentLine),
  pinned: Schema.Array(Line),
  /** Layouts that were stored before there were files have none. */
  files: Schema.Array(File).pipe(Schema.withDecodingDefaultKey(Effect.succeed([])))
})
export interface Standing extends Schema.Schema.Type<typeof Standing> {}

export const nothing: Standing = { instructions: [], agents: [], pinned: [], files: [] }

/** Bounds, newest kept: together a few hundred tokens. */
const mostInstructions = 16
const mostAgents = 16
const instructionChars = 220
const pinnedChars = 2_000
export const mostPinned = 10
/** What every pin keeps at first where there is little room. */
const leastPinnedChars = 200
/** Longer prompts are pasted documents: their "never" is not the user's. */
const ownWordsChars = 2_500

const instruction =
  /\b(?:never|always|must(?: not|n't)?|do not|don'?t|from now on|make sure|remember (?:to|that)|only (?:use|ever|when|if)|before (?:you|making|every|each)|under no circumstances)\b/i

const sentences = (text: string): ReadonlyArray<string> =>
  text
    .split(/\n|(?<=[.!?])\s+/)
    .map(oneLine)
    .filter((sentence) => sentence.length > 8)

const instructionsIn = (message: StoredMessage): Standing["instructions"] => {
  if (!startsTurn(message)) return []
  const text = blocksOf(message.content)
    .filter(isText)
    .map((block) => block.text)
    .join("\n")
  if (text.length > ownWordsChars) return []
  return sentences(text)
    .filter((sentence) => instruction.test(sentence))
    .map((sentence) => ({ seq: message.seq, text: clip(sentence, instructionChars) }))
}

const newest = <T>(items: ReadonlyArray<T>, key: (item: T) => string, most: number): ReadonlyArray<T> =>
  Array.from(new Map(items.map((item) => [key(item), item])).values()).slice(-most)

const agentsIn = (
  messages: ReadonlyArray<StoredMessage>,
  agentTools: ReadonlySet<string>
): ReadonlyArray<Standing["agents"][number]> => {
  const calls = new Map<string, { readonly seq: number; readonly use: ToolUseBlock }>()
  const agents: Array<Standing["agents"][number]> = []
  for (const message of messages) {
    for (const block of blocksOf(message.content)) {
      if (isToolUse(block) && agentTools.has(block.name)) calls.set(block.id, { seq: message.seq, use: block })
      const call = isToolResult(block) ? calls.get(block.tool_use_id) : undefined
      if (call !== undefined && isToolResult(block)) {
        agents.push({ seq: call.seq, name: clip(agentName(call.use), 80), id: agentId(textOf(block.content)) })
      }
    }
  }
  return agents
}

/** The state after these messages, too. */
export const gather = (
  standing: Standing,
  messages: ReadonlyArray<StoredMessage>,
  agentTools: ReadonlySet<string>
): Standing => ({
  ...standing,
  instructions: newest(
    [...standing.instructions, ...messages.flatMap(instructionsIn)],
    ({ text }) => text,
    mostInstructions
  ),
  agents: newest([...standing.agents, ...agentsIn(messages, agentTools)], ({ name }) => name, mostAgents),
  files: gatherFiles(standing.files, messages)
})

/** The state with one message kept in its own words. */
export const pin = (standing: Standing, message: StoredMessage): Standing => {
  const line = { seq: message.seq, text: clip(textOf(message.content), pinnedChars) }
  const others = standing.pinned.filter(({ seq }) => seq !== message.seq)
  return { ...standing, pinned: [...others, line].sort((a, b) => a.seq - b.seq) }
}

export const unpin = (standing: Standing, seq: number): Standing => ({
  ...standing,
  pinned: standing.pinned.filter((line) => line.seq !== seq)
})

/** A pin keeps its lines, and none of them can be taken for a heading. */
const indented = (text: string): string => text.replace(/\r\n?|[\n\v\f\u0085\u2028\u2029]/g, "\n  ")

const newerHalf = <T>(items: ReadonlyArray<T>): ReadonlyArray<T> => items.slice(Math.ceil(items.length / 2))

/** A step smaller: the dearest last. Pins are shortened before the user's instructions go, and go after them. */
const smaller = (standing: Standing): Standing => {
  const { agents, files, instructions, pinned } = standing
  const longest = pinned.reduce((most, { text }) => Math.max(most, text.length), 0)
  if (files.length > 0) return { ...standing, files: newerHalf(files) }
  if (agents.length > 0) return { ...standing, agents: newerHalf(agents) }
  if (longest > leastPinnedChars) {
    const chars = Math.max(leastPinnedChars, Math.ceil(longest / 2))
    return { ...standing, pinned: pinned.map(({ seq, text }) => ({ seq, text: clip(text, chars) })) }
  }
  if (instructions.length > 0) return { ...standing, instructions: newerHalf(instructions) }
  return { ...standing, pinned: newerHalf(pinned) }
}

/** As much of the state as fits, by what the model reads of it. */
export const within = (standing: Standing, fits: (text: string) => boolean): Standing => {
  let kept = standing
  for (let text = standingText(kept); text !== "" && !fits(text); text = standingText(kept)) kept = smaller(kept)
  return kept
}

/** As the model reads it; empty when there is nothing to say. */
export const standingText = ({ agents, files, instructions, pinned }: Standing): string => {
  const sections = [
    instructions.length > 0
      ? ["[Standing instructions of the user]", ...instructions.map(({ seq, text }) => `- ${text} (message ${seq})`)]
      : [],
    agents.length > 0
      ? ["[Agents]", ...agents.map(({ id, name, seq }) => `- "${name}" (message ${seq})${id === "" ? "" : `, ${id}`}`)]
      : [],
    filesText(files),
    pinned.length > 0
      ? ["[Pinned messages]", ...pinned.map(({ seq, text }) => `- message ${seq}: ${indented(text)}`)]
      : []
  ]
  return sections.flat().join("\n")
}
