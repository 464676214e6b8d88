import { Effect } from "effect"
import type { StoredMessage } from "../domain/Conversation.ts"
import type { ModelCatalog } from "../models/ModelCatalog.ts"
import type { Estimate, TokenEstimator } from "../tokens/TokenEstimator.ts"
import type { Decision, Situation } from "./CompactionPolicy.ts"
import { compact, recentStart, type Source } from "./Compactor.ts"
import { entriesOf } from "./entries.ts"
import * as Layout from "./Layout.ts"
import { acceptableShare, plans } from "./Plans.ts"
import { opening, openingBreakpoints, requestOf, withBreakpoint } from "./Prepared.ts"
import { ContextTooLarge, type PreparedContext, type Shell } from "./PreparedContext.ts"
import { Renderer } from "./Renderer.ts"
import { Rhythm } from "./Rhythm.ts"
import { hasThinking } from "./Shrink.ts"
import type { Standing } from "./Standing.ts"
import type { Summarizer } from "./Summarizer.ts"

export interface ContextOptions {
  readonly conversation: string
  readonly estimator: TokenEstimator["Service"]
  readonly summarizer: Summarizer["Service"]
  readonly catalog: ModelCatalog["Service"]
  readonly objective: "dollars" | "tokens"
  /** Decides when to compact. */
  readonly policy: (situation: Situation) => Decision
  /** Tokens, by upper bound. */
  readonly maxTokens: number
  /** Full messages. */
  readonly maxMessages: number
  readonly recentMessages: number
  readonly midMessages: number
  readonly agentTools: ReadonlySet<string>
  readonly segmentMessages: number
  readonly summaryWords: number
}

/** Summaries are full of paths and ids: about three tokens a word with the newer tokenizer. A light one may take twice as much. */
const tokensPerWord = 3

/**
 * One conversation's context in memory: what the last compaction fixed, and the messages since. Work per request grows
 * with the new messages and the (bounded) context, never with the history. Not safe for concurrent use: one at a time.
 */
export class ConversationContext {
  layout: Layout.Layout
  /** From the oldest light segment, or the boundary, on. */
  private retained: Array<StoredMessage> = []
  private renderer: Renderer
  /** Number of the next message to render. */
  private rendered: number
  /** Tokens of the messages from the boundary on, had they been sent in full. */
  private rawSinceBoundary = 0
  readonly rhythm = new Rhythm()
  private shell:
    | {
        readonly given: Shell
        readonly dressed: ReturnType<ConversationContext["dressed"]>
        readonly longLived: boolean
      }
    | undefined
  private readonly options: ContextOptions

  constructor(options: ContextOptions, layout: Layout.Layout = Layout.empty) {
    this.options = options
    this.layout = layout
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

  /** Takes messages that follow what it has; others (already known, or after a gap) are ignored. */
  append(messages: ReadonlyArray<StoredMessage>, model: string): void {
    for (const message of messages) {
      if (message.seq !== this.next) continue
      this.retained.push(message)
      if (message.seq >= this.layout.boundary) {
        this.rawSinceBoundary += this.options.estimator.message(message, model).tokens
      }
    }
  }

  /** The request that would be sent now. Trailing assistant messages wait for the user's answer to them. */
  prepare(shell: Shell): Effect.Effect<PreparedContext, ContextTooLarge> {
    return Effect.suspend(() => {
      this.render()
      const before = this.estimate(shell)
      const decision = this.decide(shell, before)
      // A pause is remembered: the next compaction marks its prefix for an hour.
      const paused = this.rhythm.asks(before.tokens, this.sendable().at(-1)?.createdAt)
      if (paused) this.layout = { ...this.layout, pauses: this.layout.pauses + 1 }
      const after = decision.compact ? Effect.uninterruptible(this.compact(shell)) : Effect.succeed(before)
      return Effect.map(after, (estimate) => {
        this.rhythm.sends(estimate.tokens)
        return this.prepared(shell, estimate, decision)
      })
    })
  }

  /** Changes what the next compaction will write behind the segments; the context in use keeps its bytes. */
  restate(edit: (standing: Standing) => Standing): void {
    this.layout = { ...this.layout, upcoming: edit(this.layout.upcoming) }
  }

  /** Leaves out all thinking of the messages it has, for a history that upstream refused; false when there was none left. */
  withoutThinking(): boolean {
    const held = this.retained.some(
      (message) => message.seq >= this.layout.thinkingFrom && hasThinking(message.content)
    )
    if (held) this.adopt({ ...this.layout, thinkingFrom: this.next })
    return held
  }

  /** What `prepare` would answer if it kept everything as it is, with what the policy would decide: changes nothing. */
  preview(shell: Shell): PreparedContext {
    this.render()
    const estimate = this.estimate(shell)
    return { ...this.prepared(shell, estimate, this.decide(shell, estimate)), compaction: undefined }
  }

  private sendable(): ReadonlyArray<StoredMessage> {
    const end = this.retained.findLastIndex((message) => message.role !== "assistant") + 1
    return end === this.retained.length ? this.retained : this.retained.slice(0, end)
  }

  /** The messages that are sent in full. */
  private full(): ReadonlyArray<StoredMessage> {
    return this.sendable().filter((message) => message.seq >= this.layout.boundary)
  }

  private freshRenderer(): Renderer {
    const { shrunk, thinkingFrom } = this.layout
    return new Renderer({ thinkingFrom, shrunk }, opening(this.layout))
  }

  private render(): void {
    const start = this.rendered - (this.retained[0]?.seq ?? this.rendered)
    this.rendered += this.renderer.append(start <= 0 ? this.retained : this.retained.slice(start))
  }

  /** The shell with its breakpoint, made once per shell: equal bytes and equal objects for the estimator. */
  private dressed(shell: Shell): Shell & Pick<ReturnType<typeof withBreakpoint>, "breakpoints"> {
    const known = this.shell
    const { longLived } = this.layout
    if (
      known?.given.system === shell.system &&
      known?.given.tools === shell.tools &&
      known?.given.model === shell.model &&
      known.longLived === longLived
    ) {
      return known.dressed
    }
    const dressed = { model: shell.model, ...withBreakpoint(shell, longLived) }
    this.shell = { given: shell, dressed, longLived }
    return dressed
  }

  private estimate(shell: Shell): Estimate {
    return this.options.estimator.estimate(requestOf(this.dressed(shell), this.renderer.messages))
  }

  private source(model: string): Source {
    const { estimator } = this.options
    return {
      retained: this.sendable(),
      layout: this.layout,
      tokens: (message) => estimator.message(message, model).tokens
    }
  }

  private room(shell: Shell): number {
    return this.options.maxTokens - this.options.estimator.estimate(requestOf(this.dressed(shell), [])).upperBound
  }

  private decide(shell: Shell, { tokens, upperBound }: Estimate): Decision {
    const newest = this.sendable().at(-1)
    const { catalog, maxTokens, objective, policy } = this.options
    const { longContext, prices } = catalog.get(shell.model)
    return policy({
      objective,
      tokens,
      upperBound,
      limit: objective === "dollars" && longContext !== undefined ? Math.min(maxTokens, longContext.above) : maxTokens,
      fullMessages: this.rendered - this.layout.boundary,
      maxMessages: this.options.maxMessages,
      floorTokens: () => this.floorTokens(shell),
      stableTokens: this.stableTokens(shell),
      growthTokens: this.rhythm.growth,
      requests: this.rhythm.requests,
      prices: { read: prices.cacheRead, write: prices.cacheWrite5m },
      idleMillis: this.rhythm.idleMillis(newest?.createdAt)
    })
  }

  /** What keeps its bytes through a compaction: system, tools, heavy segments. */
  private stableTokens(shell: Shell): number {
    const heavy = this.layout.segments.filter((segment) => segment.detail === "heavy")
    return heavy.reduce((sum, segment) => sum + segment.tokens, this.options.maxTokens - this.room(shell))
  }

  private floorTokens(shell: Shell): number {
    const [plan] = plans(this.room(shell), this.options.recentMessages)
    if (plan === undefined) return 0
    const source = this.source(shell.model)
    const recent = source.retained.slice(recentStart(source, plan)).reduce((sum, m) => sum + source.tokens(m), 0)
    const segments = this.layout.segments.reduce((sum, segment) => sum + segment.tokens, 0)
    return this.options.maxTokens - this.room(shell) + segments + recent
  }

  private compact(shell: Shell): Effect.Effect<Estimate, ContextTooLarge> {
    const {
      agentTools,
      conversation,
      maxTokens,
      midMessages,
      recentMessages,
      segmentMessages,
      summarizer,
      summaryWords
    } = this.options
    const room = this.room(shell)
    if (room <= 0) return Effect.fail(this.tooLarge(-1, maxTokens - room))
    const heavy = Math.ceil(Math.min(summaryWords * tokensPerWord, room * 0.05))
    const maker = {
      conversation,
      model: shell.model,
      summarizer,
      maxTokens: { heavy, light: 2 * heavy },
      fullRun: segmentMessages
    }
    const bands = { midMessages, segmentMessages, agentTools }
    const source = this.source(shell.model)
    const context = this
    return Effect.gen(function* () {
      let estimate: Estimate = { tokens: 0, upperBound: 0 }
      for (const [index, plan] of plans(room, recentMessages).entries()) {
        context.adopt(yield* compact(source, plan, bands, maker))
        estimate = context.estimate(shell)
        if (estimate.upperBound <= maxTokens * acceptableShare(index)) {
          context.forget(shell.model)
          return estimate
        }
      }
      context.adopt(source.layout)
      const largest = source.retained.slice(-2).reduce((a, b) => (source.tokens(b) > source.tokens(a) ? b : a))
      return yield* context.tooLarge(largest.seq, estimate.upperBound)
    })
  }

  private adopt(layout: Layout.Layout): void {
    this.layout = layout
    this.renderer = this.freshRenderer()
    this.rendered = layout.boundary
    this.render()
  }

  /** Drops from memory what only segments stand for now. */
  private forget(model: string): void {
    this.retained = this.retained.filter((message) => message.seq >= this.retainedFrom)
    this.rawSinceBoundary = this.retained
      .filter((message) => message.seq >= this.layout.boundary)
      .reduce((sum, message) => sum + this.options.estimator.message(message, model).tokens, 0)
  }

  private tooLarge(seq: number, tokens: number): ContextTooLarge {
    return new ContextTooLarge({ conversation: this.options.conversation, seq, tokens, limit: this.options.maxTokens })
  }

  private prepared(shell: Shell, { tokens, upperBound }: Estimate, decision: Decision): PreparedContext {
    const { breakpoints, system, tools } = this.dressed(shell)
    const shellTokens = this.options.estimator.estimate(requestOf(this.dressed(shell), [])).tokens
    return {
      messages: Array.from(this.renderer.messages),
      system,
      tools,
      entries: entriesOf(
        this.layout.segments,
        this.full(),
        (m) => this.options.estimator.message(m, shell.model).tokens
      ),
      estimatedTokens: tokens,
      upperBound,
      rawMessages: this.next,
      rawTokens: shellTokens + this.layout.rawTokens + this.rawSinceBoundary,
      cacheControl: { type: "ephemeral" },
      longLived: this.layout.longLived,
      breakpoints: [...breakpoints, ...openingBreakpoints(this.layout), "end"],
      compaction: decision.compact ? decision.reason : undefined,
      decision
    }
  }
}
