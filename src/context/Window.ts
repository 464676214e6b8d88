import type { StoredMessage } from "../domain/Conversation.ts"
import type { Message } from "../domain/Message.ts"
import type { Source } from "./Compactor.ts"
import type * as Layout from "./Layout.ts"
import { opening } from "./Prepared.ts"
import { Renderer } from "./Renderer.ts"
import { hasThinking } from "./Shrink.ts"

type Weigh = (message: Message, model: string) => number

/** The messages of a conversation that its context needs, and how they are sent under a layout. Only ever grows at its end. */
export class Window {
  layout: Layout.Layout
  /** From the oldest light segment, or the boundary, on. */
  private retained: Array<StoredMessage> = []
  private renderer: Renderer
  /** Number of the next message to render. */
  private rendered: number
  /** Tokens of the messages from the boundary on, had they been sent in full. */
  rawTokens = 0
  /** Tokens of all messages that are in memory. */
  heldTokens = 0
  private readonly weigh: Weigh

  constructor(layout: Layout.Layout, weigh: Weigh) {
    this.layout = layout
    this.weigh = weigh
    this.renderer = this.freshRenderer()
    this.rendered = layout.boundary
  }

  /** Number of the first message that must be in memory. */
  get retainedFrom(): number {
    return this.layout.segments.find((segment) => segment.detail === "light")?.from ?? this.layout.boundary
  }

  /** Number of the next message. */
  get next(): number {
    return (this.retained.at(-1)?.seq ?? this.retainedFrom - 1) + 1
  }

  get held(): ReadonlyArray<StoredMessage> {
    return this.retained
  }

  /** As they are sent; grows with `render`. */
  get messages(): ReadonlyArray<Message> {
    return this.renderer.messages
  }

  get fullMessages(): number {
    return this.rendered - this.layout.boundary
  }

  /** Nothing has been condensed: the context is the history. */
  get isWhole(): boolean {
    return this.layout.segments.length === 0 && this.layout.upstream === null
  }

  /** Without trailing assistant messages: they wait for the user's answer to them. */
  get sendable(): ReadonlyArray<StoredMessage> {
    const end = this.retained.findLastIndex((message) => message.role !== "assistant") + 1
    return end === this.retained.length ? this.retained : this.retained.slice(0, end)
  }

  /** The messages that are sent in full. */
  get full(): ReadonlyArray<StoredMessage> {
    return this.sendable.filter((message) => message.seq >= this.layout.boundary)
  }

  /** Some message that still goes with its thinking has any. */
  get hasThinking(): boolean {
    return this.retained.some((m) => m.seq >= this.layout.thinkingFrom && hasThinking(m.content))
  }

  /** Some message is sent without the thinking that it has. */
  get leavesOutThinking(): boolean {
    const { thinkingFrom } = this.layout
    return thinkingFrom > 0 && this.retained.some((m) => m.seq < thinkingFrom && hasThinking(m.content))
  }

  source(model: string): Source {
    return { retained: this.sendable, layout: this.layout, tokens: (message) => this.weigh(message, model) }
  }

  /** Takes messages that follow what it has; others (already known, or after a gap) are ignored. */
  append(messages: ReadonlyArray<StoredMessage>, model: string): void {
    for (const message of messages) {
      if (message.seq !== this.next) continue
      this.retained.push(message)
      const tokens = this.weigh(message, model)
      this.heldTokens += tokens
      if (message.seq >= this.layout.boundary) this.rawTokens += tokens
    }
  }

  render(): void {
    const start = this.rendered - (this.retained[0]?.seq ?? this.rendered)
    this.rendered += this.renderer.append(start <= 0 ? this.retained : this.retained.slice(start))
  }

  adopt(layout: Layout.Layout): void {
    this.layout = layout
    this.renderer = this.freshRenderer()
    this.rendered = layout.boundary
    this.render()
  }

  /** Drops from memory what only segments stand for now. */
  forget(model: string): void {
    this.retained = this.retained.filter((message) => message.seq >= this.retainedFrom)
    this.heldTokens = this.retained.reduce((sum, message) => sum + this.weigh(message, model), 0)
    this.rawTokens = this.retained
      .filter((message) => message.seq >= this.layout.boundary)
      .reduce((sum, message) => sum + this.weigh(message, model), 0)
  }

  /** What is sent before message `seq`, which starts a turn. */
  sentBefore(seq: number): ReadonlyArray<Message> {
    const renderer = this.freshRenderer()
    renderer.append(this.retained.filter((m) => m.seq >= this.layout.boundary && m.seq <= seq))
    return this.renderer.messages.slice(0, renderer.messages.length - 1)
  }

  private freshRenderer(): Renderer {
    const { shrunk, thinkingFrom } = this.layout
    return new Renderer({ thinkingFrom, shrunk }, opening(this.layout))
  }
}
