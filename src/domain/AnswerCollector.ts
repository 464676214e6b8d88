import { Predicate } from "effect"
import type { ContentBlock } from "./Message.ts"
import type { AssistantMessage, StreamEvent } from "./MessagesRequest.ts"

type Fields = Record<string, unknown>

/** What has been received of a streamed answer. */
export interface Collected {
  /** The answer as far as it goes; undefined before `message_start`. `stop_reason` is null until upstream gave one. */
  readonly message: AssistantMessage | undefined
  /** `message_stop` came and no `error` event: this is a whole answer. */
  readonly complete: boolean
  /** False once an unknown event or delta was seen: the message may lack something, so it must not be replayed to others. */
  readonly faithful: boolean
  /** Characters of text, thinking and tool input received: what an aborted stream's output is estimated from. */
  readonly outputChars: number
}

export interface Collector {
  readonly push: (event: StreamEvent) => void
  /** A snapshot: later events do not change it. */
  readonly collected: () => Collected
}

interface Building {
  block: Fields & { readonly type: string }
  json: string
}

const isFields = (u: unknown): u is Fields => Predicate.isObject(u) && !Array.isArray(u)

/** Counters are cumulative and omitted when they do not apply: overwrite with what is not null, never add. */
const overwrite = (target: Fields, source: Fields, skip: ReadonlySet<string>): void => {
  for (const [field, value] of Object.entries(source)) {
    if (!skip.has(field) && value !== null && value !== undefined) target[field] = value
  }
}

const none: ReadonlySet<string> = new Set()
const deltaEnvelope: ReadonlySet<string> = new Set(["type", "delta", "usage"])
const typeOnly: ReadonlySet<string> = new Set(["type"])

const text = (u: unknown): string => (typeof u === "string" ? u : "")

const appended = (block: Fields, field: string, part: unknown): number => {
  block[field] = text(block[field]) + text(part)
  return text(part).length
}

/** Applies one `content_block_delta`; answers the characters it brought, or undefined for an unknown kind. */
const applyDelta = (building: Building, delta: Fields): number | undefined => {
  const { block } = building
  switch (delta.type) {
    case "text_delta":
      return appended(block, "text", delta.text)
    case "thinking_delta":
      return appended(block, "thinking", delta.thinking)
    case "signature_delta":
      block.signature = delta.signature
      return 0
    case "citations_delta":
      block.citations = [...(Array.isArray(block.citations) ? block.citations : []), delta.citation]
      return 0
    case "input_json_delta":
      building.json += text(delta.partial_json)
      return text(delta.partial_json).length
    case "compaction_delta":
      for (const [field, value] of Object.entries(delta)) if (!typeOnly.has(field)) block[field] = value
      return text(delta.content).length
    default:
      return undefined
  }
}

/** A tool input that broke off in the middle stays what the block began with. */
const parsedInput = (json: string, fallback: unknown): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return fallback
  }
}

const finished = ({ block, json }: Building): ContentBlock =>
  json === "" ? { ...block } : { ...block, input: parsedInput(json, block.input) }

interface CollectorState {
  head: Fields | undefined
  readonly usage: Fields
  readonly blocks: Array<Building>
  complete: boolean
  failed: boolean
  faithful: boolean
  outputChars: number
}

const blockStart = (state: CollectorState, event: StreamEvent): void => {
  const block = event.content_block
  if (!isFields(block) || typeof block.type !== "string") {
    state.faithful = false
    return
  }
  state.blocks.push({ block: { ...block, type: block.type }, json: "" })
  if (block.type === "compaction") state.outputChars += text(block.content).length
  const servedBy = block.type === "fallback" && isFields(block.to) ? block.to.model : undefined
  if (state.head !== undefined && typeof servedBy === "string") state.head.model = servedBy
}

const blockDelta = (state: CollectorState, event: StreamEvent): void => {
  const building = typeof event.index === "number" ? state.blocks[event.index] : state.blocks.at(-1)
  const chars = building && isFields(event.delta) ? applyDelta(building, event.delta) : undefined
  if (chars === undefined) state.faithful = false
  else state.outputChars += chars
}

const messageStart = (state: CollectorState, event: StreamEvent): void => {
  if (!isFields(event.message)) return
  state.head = { stop_reason: null, ...event.message }
  if (isFields(event.message.usage)) Object.assign(state.usage, event.message.usage)
}

const messageDelta = (state: CollectorState, event: StreamEvent): void => {
  const head = state.head
  if (head === undefined) return
  if (isFields(event.delta)) {
    overwrite(head, event.delta, none)
    for (const field of Object.keys(event.delta)) if (!(field in head)) head[field] = event.delta[field]
  }
  overwrite(head, event, deltaEnvelope)
  if (isFields(event.usage)) overwrite(state.usage, event.usage, none)
}

const handlers: Readonly<Record<string, (state: CollectorState, event: StreamEvent) => void>> = {
  message_start: messageStart,
  content_block_start: blockStart,
  content_block_delta: blockDelta,
  content_block_stop: () => undefined,
  message_delta: messageDelta,
  message_stop: (state) => {
    state.complete = true
  },
  error: (state) => {
    state.failed = true
  },
  ping: () => undefined
}

const unknownEvent = (state: CollectorState): void => {
  state.faithful = false
}

const messageOf = ({ head, usage, blocks }: CollectorState): AssistantMessage | undefined =>
  head &&
  // message_start carries the whole message object but for its content: id, type, role and model are upstream's own.
  ({ ...head, content: blocks.map(finished), usage: { ...usage } } as unknown as AssistantMessage)

/**
 * Puts an answer together from its stream events, one push per event, O(length of the delta). Cumulative counters
 * overwrite, null never does. Unknown events are tolerated and remembered (`faithful`).
 */
export const makeCollector = (): Collector => {
  const state: CollectorState = {
    head: undefined,
    usage: {},
    blocks: [],
    complete: false,
    failed: false,
    faithful: true,
    outputChars: 0
  }
  return {
    push: (event) => (Object.hasOwn(handlers, event.type) ? handlers[event.type] : unknownEvent)?.(state, event),
    collected: () => ({
      message: messageOf(state),
      complete: state.complete && !state.failed && state.head !== undefined,
      faithful: state.faithful,
      outputChars: state.outputChars
    })
  }
}

/** The answer that a sequence of stream events amounts to. `collect(replayEvents(answer)).message` equals `answer`. */
export const collect = (events: Iterable<StreamEvent>): Collected => {
  const collector = makeCollector()
  for (const event of events) collector.push(event)
  return collector.collected()
}
