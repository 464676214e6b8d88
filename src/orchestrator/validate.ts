import { Effect, Predicate } from "effect"
import { isWellFormed, nestsAtMost } from "../domain/Json.ts"
import { blocksOf, type Content, type ContentBlock, isContent, isText } from "../domain/Message.ts"
import type { Model } from "../models/ModelCatalog.ts"
import type { TokenEstimator } from "../tokens/TokenEstimator.ts"
import { InvalidMessage } from "./TurnEvent.ts"

/** What only the model, the orchestrator in its name, or upstream itself may say. */
const notTheUsers: ReadonlySet<string> = new Set(["thinking", "redacted_thinking", "compaction", "fallback"])
const callOrResult = /(?:^|_)tool_(?:use|result)$/

const imageTypes: ReadonlySet<unknown> = new Set(["image/jpeg", "image/png", "image/gif", "image/webp"])
const base64 = /^[A-Za-z0-9+/]+={0,2}$/

/** What is wrong with where an image or a document comes from; other kinds of blocks need no source. */
const sourceProblem = ({ source, type }: ContentBlock): string | undefined => {
  if (type !== "image" && type !== "document") return undefined
  if (!Predicate.hasProperty(source, "type")) return `A block of type ${type} has no \`source\`. Give it one.`
  if (source.type !== "base64") return undefined
  const { data, media_type: media } = source as { readonly data?: unknown; readonly media_type?: unknown }
  if (typeof data !== "string" || !base64.test(data)) {
    return `The \`data\` of a block of type ${type} is not base64. Encode it, without line breaks.`
  }
  if (type === "document" || imageTypes.has(media)) return undefined
  return `An image has the \`media_type\` "${media}". Upstream reads ${[...imageTypes].join(", ")}.`
}

const blockProblem = (block: ContentBlock): string | undefined => {
  if (isText(block) && block.text.trim() === "") return "A text block is blank. Give it some text, or leave it out."
  if (!notTheUsers.has(block.type) && !callOrResult.test(block.type)) return sourceProblem(block)
  return `A user message must not hold a ${block.type} block: the orchestrator calls tools and answers them itself.`
}

const problem = (content: Content): string | undefined => {
  // Callers without TypeScript can pass anything.
  if (!isContent(content)) return "The content is neither text nor a list of content blocks, each with its `type`."
  if (typeof content === "string") return content.trim() === "" ? "The message is empty. Write something." : undefined
  if (content.length === 0) return "The message has no content blocks. Give it at least one."
  return blocksOf(content).map(blockProblem).find(Boolean)
}

const cutText =
  "The message holds half of a character (a surrogate without its other half): it was cut in the middle of one. Upstream refuses such text; cut between characters."

/** Levels of arrays and objects in a message, or in what a tool returned. */
export const mostLevels = 200

const unreadable = (content: Content): string | undefined => {
  if (!nestsAtMost(mostLevels, content)) return `The message is nested deeper than ${mostLevels} levels. Flatten it.`
  return isWellFormed(content) ? undefined : cutText
}

/** Refuses what upstream would refuse in any context: nothing of it is stored. Long messages that can be cut are taken. */
export const validate = Effect.fnUntraced(function* (
  content: Content,
  model: Model,
  estimator: TokenEstimator["Service"]
) {
  const found = problem(content) ?? unreadable(content)
  if (found !== undefined) return yield* new InvalidMessage({ message: found })
  const { tokens } = estimator.message({ role: "user", content }, model.id)
  if (tokens <= model.contextWindow) return
  return yield* new InvalidMessage({
    message: `The message takes about ${tokens} tokens, more than ${model.id} can read at all (${model.contextWindow}). Split it.`
  })
})
