import { Effect } from "effect"
import { blocksOf, type Content, type ContentBlock, isContent, isText } from "../domain/Message.ts"
import type { Model } from "../models/ModelCatalog.ts"
import type { TokenEstimator } from "../tokens/TokenEstimator.ts"
import { InvalidMessage } from "./TurnEvent.ts"

/** What only the model, or the orchestrator in its name, may say. */
const notTheUsers: ReadonlySet<string> = new Set([
  "tool_use",
  "tool_result",
  "server_tool_use",
  "thinking",
  "redacted_thinking"
])

const sourced: ReadonlySet<string> = new Set(["image", "document"])

const hasSource = ({ source }: ContentBlock & { readonly source?: unknown }): boolean =>
  typeof source === "object" && source !== null && "type" in source

const blockProblem = (block: ContentBlock): string | undefined => {
  if (isText(block) && block.text.trim() === "") return "A text block is blank. Give it some text, or leave it out."
  if (sourced.has(block.type) && !hasSource(block))
    return `A block of type ${block.type} has no \`source\`. Give it one.`
  if (!notTheUsers.has(block.type)) return undefined
  return `A user message must not hold a ${block.type} block: the orchestrator calls tools and answers them itself.`
}

const problem = (content: Content): string | undefined => {
  // Callers without TypeScript can pass anything.
  if (!isContent(content)) return "The content is neither text nor a list of content blocks, each with its `type`."
  if (typeof content === "string") return content.trim() === "" ? "The message is empty. Write something." : undefined
  if (content.length === 0) return "The message has no content blocks. Give it at least one."
  return blocksOf(content).map(blockProblem).find(Boolean)
}

/** Refuses what upstream would refuse in any context: nothing of it is stored. Long messages that can be cut are taken. */
export const validate = Effect.fnUntraced(function* (
  content: Content,
  model: Model,
  estimator: TokenEstimator["Service"]
) {
  const found = problem(content)
  if (found !== undefined) return yield* new InvalidMessage({ message: found })
  const { tokens } = estimator.message({ role: "user", content }, model.id)
  if (tokens <= model.contextWindow) return
  return yield* new InvalidMessage({
    message: `The message takes about ${tokens} tokens, more than ${model.id} can read at all (${model.contextWindow}). Split it.`
  })
})
