import { blocksOf } from "../domain/Message.ts"
import type { MessagesRequest, ToolDefinition } from "../domain/MessagesRequest.ts"
import type { Model } from "../models/ModelCatalog.ts"
import { type Sink, walkInner } from "./walk.ts"

/** What Anthropic's own tools add, by the prefix of their type: up to the old generation, and from Opus 4.7 on. */
const providedTools: ReadonlyArray<readonly [prefix: string, old: number, now: number]> = [
  ["bash_", 244, 325],
  ["text_editor_", 745, 974],
  ["computer_", 4_500, 4_500],
  ["browser_", 6_600, 6_600]
]

/** The system prompt that upstream adds where there are tools: by model, then by generation. Forced choice costs more. */
const toolPrompts: Readonly<Record<string, readonly [auto: number, forced: number]>> = {
  "claude-opus-4-8": [290, 410],
  "claude-opus-4-7": [675, 804],
  "claude-sonnet-5": [354, 474],
  old: [497, 589],
  new: [286, 406]
}

const providedTool = ({ type }: ToolDefinition) =>
  providedTools.find(([prefix]) => typeof type === "string" && type.startsWith(prefix))

const isForced = ({ tool_choice: choice }: MessagesRequest): boolean =>
  typeof choice === "object" && choice !== null && "type" in choice && (choice.type === "any" || choice.type === "tool")

export const walkSystem = (system: NonNullable<MessagesRequest["system"]>, sink: Sink): void => {
  for (const block of blocksOf(system)) walkInner(block, sink)
}

/** Tool definitions, as far as their text goes. */
export const walkTools = (tools: ReadonlyArray<ToolDefinition>, sink: Sink): void => {
  for (const tool of tools) {
    if (providedTool(tool) !== undefined) continue
    sink.count("tool", 1)
    sink.json(tool)
  }
}

/** Tokens that tools cost besides their text, by upstream's price list (reference: fixed token overheads). */
export const toolOverhead = (request: MessagesRequest, model: Model): number => {
  const tools = request.tools ?? []
  if (tools.length === 0) return 0
  const [auto, forced] = toolPrompts[model.id] ?? toolPrompts[model.tokenizer] ?? [0, 0]
  const provided = tools.map((tool) => providedTool(tool)?.[model.tokenizer === "old" ? 1 : 2] ?? 0)
  return provided.reduce((sum, tokens) => sum + tokens, isForced(request) ? forced : auto)
}
