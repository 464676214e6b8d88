import { hash } from "node:crypto"
import { blocksOf, type ContentBlock, isToolResult } from "../../domain/Message.ts"
import type { ValidatedRequest } from "../ApiRules.ts"
import { type Ttl, ttlOf } from "../rules/cacheControl.ts"
import type { SimulatedModel } from "./SimulatedModel.ts"
import { scaled, type Tokenizer } from "./Tokenizer.ts"

/** One cacheable piece of a prompt, with everything before it. */
export interface Position {
  /** Hash of the prompt up to and including this piece. */
  readonly prefix: string
  /** Tokens up to and including this piece. */
  readonly tokens: number
  /** Set where the request puts a breakpoint. */
  readonly ttl: Ttl | undefined
  /** Neighbouring pieces of one run count as one position of the lookback. */
  readonly run: string | undefined
}

export interface Prompt {
  readonly positions: ReadonlyArray<Position>
  readonly tokens: number
  /** What stands for all tools, and for tools and system prompt together. */
  readonly heads: { readonly tools: string; readonly system: string }
}

/** The system prompt that offering tools adds. */
const toolSystemPrompt = 286
const perMessage = 4

interface Piece {
  readonly hash: string
  readonly tokens: number
  readonly ttl: Ttl | undefined
  readonly run: string | undefined
}

/** A breakpoint inside a tool_result stands at the tool_result. */
const ttlIn = (block: ContentBlock): Ttl | undefined => {
  const own = ttlOf(block)
  if (own !== undefined || !isToolResult(block) || typeof block.content !== "object") return own
  return block.content.map(ttlOf).find((ttl) => ttl !== undefined)
}

const runs: ReadonlySet<string> = new Set(["tool_use", "tool_result"])

const digest = (...parts: ReadonlyArray<string>): string => hash("sha256", parts.join("\0"), "base64")

/** Fields that end the cached prefix when they change, by the level they belong to. */
const level = (request: ValidatedRequest, names: ReadonlyArray<string>): string =>
  JSON.stringify(names.map((name) => request[name] ?? null))

const systemFields = ["speed"]
const messageFields = ["tool_choice", "thinking", "output_config"]

const toolPieces = (request: ValidatedRequest, model: SimulatedModel, tokenizer: Tokenizer): ReadonlyArray<Piece> =>
  (request.tools ?? []).map((tool, index) => {
    const counted = tokenizer.block(tool)
    const extra = index === 0 ? toolSystemPrompt : 0
    return { hash: counted.hash, tokens: scaled(counted, model.scale) + extra, ttl: ttlOf(tool), run: undefined }
  })

const blockPieces = (role: string, blocks: ReadonlyArray<ContentBlock>, model: SimulatedModel, tokenizer: Tokenizer) =>
  blocks.map((block, index): Piece => {
    const counted = tokenizer.block(block)
    return {
      hash: role + counted.hash,
      tokens: scaled(counted, model.scale) + (index === 0 ? perMessage : 0),
      ttl: ttlIn(block),
      run: runs.has(block.type) ? block.type : undefined
    }
  })

/** String content becomes one text block per message object, so that it is counted once. */
const asBlocks = new WeakMap<object, ReadonlyArray<ContentBlock>>()
const messageBlocks = (message: ValidatedRequest["messages"][number]): ReadonlyArray<ContentBlock> => {
  if (typeof message.content !== "string") return message.content
  const known = asBlocks.get(message) ?? blocksOf(message.content)
  asBlocks.set(message, known)
  return known
}

const chain = (start: string, pieces: ReadonlyArray<Piece>, before: Position | undefined): ReadonlyArray<Position> => {
  let prefix = start
  let tokens = before?.tokens ?? 0
  return pieces.map((piece) => {
    prefix = digest(prefix, piece.hash)
    tokens += piece.tokens
    return { prefix, tokens, ttl: piece.ttl, run: piece.run }
  })
}

/** The automatic breakpoint stands at the last block. */
const withAutomatic = (request: ValidatedRequest, positions: ReadonlyArray<Position>): ReadonlyArray<Position> => {
  const ttl = ttlOf(request)
  const last = positions.at(-1)
  return ttl === undefined || last === undefined ? positions : [...positions.slice(0, -1), { ...last, ttl }]
}

/** Lays a request out in upstream's order (tools, system, messages) and counts it. */
export const layOut = (request: ValidatedRequest, model: SimulatedModel, tokenizer: Tokenizer): Prompt => {
  const tools = chain(digest(model.id), toolPieces(request, model, tokenizer), undefined)
  const afterTools = digest(tools.at(-1)?.prefix ?? model.id, level(request, systemFields))
  const system = chain(
    afterTools,
    blockPieces("system", blocksOf(request.system ?? []), model, tokenizer),
    tools.at(-1)
  )
  const head = [...tools, ...system]
  const start = digest(head.at(-1)?.prefix ?? afterTools, level(request, messageFields))
  const pieces = request.messages.flatMap((message) =>
    blockPieces(message.role, messageBlocks(message), model, tokenizer)
  )
  const positions = withAutomatic(request, [...head, ...chain(start, pieces, head.at(-1))])
  const heads = { tools: tools.at(-1)?.prefix ?? "", system: head.at(-1)?.prefix ?? "" }
  return { positions, tokens: positions.at(-1)?.tokens ?? 0, heads }
}

/** A laid out prompt with text of upstream's own behind it, which no breakpoint covers. */
export const continued = (
  { heads, positions, tokens }: Prompt,
  text: string,
  model: SimulatedModel,
  tokenizer: Tokenizer
): Prompt => ({
  heads,
  positions,
  tokens: tokens + perMessage + scaled({ text: tokenizer.text(text), fixed: 0 }, model.scale)
})
