import { Effect } from "effect"
import type { StoredMessage } from "../domain/Conversation.ts"
import type { Usage } from "../domain/Usage.ts"
import type { Estimate } from "../tokens/TokenEstimator.ts"
import { type Decision, excessOf, isCold, type Situation } from "./CompactionPolicy.ts"
import { byBlock, compact } from "./Compactor.ts"
import type { ContextOptions } from "./ContextOptions.ts"
import { Dress, type Dressed } from "./Dress.ts"
import { hourPays } from "./hourPays.ts"
import * as Layout from "./Layout.ts"
import { Outlook } from "./Outlook.ts"
import { acceptableShare, plans } from "./Plans.ts"
import { requestOf } from "./Prepared.ts"
import { ContextTooLarge, type PreparedContext, type Shell } from "./PreparedContext.ts"
import { preparedOf } from "./preparedOf.ts"
import { Rhythm } from "./Rhythm.ts"
import type { Standing } from "./Standing.ts"
import type { BlockAnswer } from "./Summary.ts"
import { SummaryErrands } from "./SummaryErrands.ts"
import { situationOf } from "./situation.ts"
import { Window } from "./Window.ts"

/** Summaries are full of paths and ids: about three tokens a word with the newer tokenizer. */
const tokensPerWord = 3

/** How much longer a light summary may be: it is short-lived, and what it says costs little while it is read from the cache. */
const lightFactor = 5

/**
 * One conversation's context in memory: what the last compaction fixed, and the messages since. Work per request grows
 * with the new messages and the (bounded) context, never with the history. Not safe for concurrent use: one at a time.
 */
export class ConversationContext {
  readonly rhythm = new Rhythm()
  /** Under which name the next compaction tells the model to look up what was condensed; undefined: it does not. */
  recallAs: string | undefined
  private readonly window: Window
  private readonly outlook: Outlook
  private readonly dress = new Dress()
  private readonly errands: SummaryErrands
  private readonly options: ContextOptions

  constructor(options: ContextOptions, layout: Layout.Layout = Layout.empty) {
    this.options = options
    this.outlook = options.outlook ?? new Outlook()
    this.window = new Window(layout, (message, model) => options.estimator.message(message, model).tokens)
    this.errands = new SummaryErrands(options, this.window)
  }

  get layout(): Layout.Layout {
    return this.window.layout
  }

  /** Number of the first message that must be in memory. */
  get retainedFrom(): number {
    return this.window.retainedFrom
  }

  /** What is sent is not the history as it was given. */
  get isRewritten(): boolean {
    const { boundary, shrunk } = this.layout
    return boundary > 0 || shrunk.size > 0 || this.window.leavesOutThinking
  }

  /** Tokens of the messages in memory. */
  get heldTokens(): number {
    return this.window.heldTokens
  }

  /** Number of the next message. */
  get next(): number {
    return this.window.next
  }

  /** Takes messages that follow what it has; others (already known, or after a gap) are ignored. */
  append(messages: ReadonlyArray<StoredMessage>, model: string): void {
    this.window.append(messages, model)
  }

  /** The request that would be sent now. Trailing assistant messages wait for the user's answer to them. */
  prepare(shell: Shell): Effect.Effect<PreparedContext, ContextTooLarge> {
    return Effect.suspend(() => {
      const { rhythm, window } = this
      window.render()
      this.resume()
      const before = this.estimate(shell)
      const situation = this.situation(shell, before)
      const decision = this.options.policy(situation)
      // A pause is remembered: the next compaction marks its prefix for an hour.
      const { minCacheableTokens } = this.options.catalog.get(shell.model)
      const paused = rhythm.asks(before.tokens, window.sendable.at(-1)?.createdAt, minCacheableTokens)
      this.outlook.sees(rhythm.requests, isCold(situation))
      if (paused) window.layout = { ...window.layout, pauses: window.layout.pauses + 1 }
      if (window.isWhole) this.chooseLifetime(shell, situation)
      const keep = (kept: Decision) => {
        rhythm.keeps(excessOf(situation))
        return Effect.as(this.errands.ahead(shell), this.sent(this.prepared(shell, before, kept)))
      }
      if (!decision.compact) return keep(decision)
      return Effect.flatMap(this.errands.block(this.dressed(shell)), (block) =>
        block === "pending" && situation.upperBound <= situation.limit
          ? keep({ compact: false, reason: `upstream is condensing it: ${decision.reason}`, savesNanoUsd: 0 })
          : Effect.map(Effect.uninterruptible(this.compact(shell, block, situation)), (estimate) => {
              rhythm.compacts()
              return this.sent(this.prepared(shell, estimate, decision))
            })
      )
    })
  }

  private sent(prepared: PreparedContext): PreparedContext {
    this.rhythm.sends(prepared.estimatedTokens)
    return prepared
  }

  /** Marks are part of the bytes: how long upstream is to keep them is chosen where nothing, or everything, is marked anew. */
  private chooseLifetime({ model }: Shell, { stableTokens, tokens }: Situation): void {
    const { layout } = this.window
    const longTail = hourPays(this.rhythm, tokens - stableTokens, this.options.catalog.get(model).prices)
    if (longTail !== layout.longTail) {
      this.window.layout = { ...layout, longTail, longLived: longTail || layout.pauses > 0 }
    }
  }

  /** What upstream says that the last prepared request consumed. */
  settled(usage: Usage): void {
    this.rhythm.settles(usage)
  }

  /** Changes what the next compaction will write behind the segments; the context in use keeps its bytes. */
  restate(edit: (standing: Standing) => Standing): void {
    this.window.layout = { ...this.layout, upcoming: edit(this.layout.upcoming) }
  }

  /**
   * For a history that upstream refused: upstream's own block becomes a segment, and all thinking up to now is left out.
   * False when there was neither: trying again will not help.
   */
  repair(): boolean {
    const repairable = this.window.hasThinking || this.layout.upstream !== null
    if (repairable) this.window.adopt({ ...Layout.ownSegments(this.layout), thinkingFrom: this.next })
    return repairable
  }

  /** What `prepare` would answer if it kept everything as it is, with what the policy would decide: changes nothing. */
  preview(shell: Shell): PreparedContext {
    this.window.render()
    this.resume()
    const estimate = this.estimate(shell)
    const decision = this.options.policy(this.situation(shell, estimate))
    return { ...this.prepared(shell, estimate, decision), compaction: undefined }
  }

  /** A conversation that is taken up again has had requests before: one for each answer. */
  private resume(): void {
    const { held } = this.window
    const answer = held.findLastIndex((message) => message.role === "assistant")
    const asked = held[answer - 1] ?? held[answer]
    if (asked !== undefined && answer >= 0) this.rhythm.resumes(Math.ceil(asked.seq / 2), asked.createdAt)
  }

  private dressed(shell: Shell): Dressed {
    return this.dress.of(shell, this.layout.longLived)
  }

  private estimate(shell: Shell, messages = this.window.messages): Estimate {
    return this.options.estimator.estimate(requestOf(this.dressed(shell), messages))
  }

  private room(shell: Shell): number {
    return this.options.maxTokens - this.estimate(shell, []).upperBound
  }

  private situation(shell: Shell, estimate: Estimate): Situation {
    const { catalog, summarizer } = this.options
    return situationOf(
      {
        ...this.options,
        source: this.window.source(shell.model),
        layout: this.layout,
        rhythm: this.rhythm,
        outlook: this.outlook,
        model: catalog.get(shell.model),
        shell: this.estimate(shell, []),
        fullMessages: this.window.fullMessages,
        hasThinking: this.window.hasThinking,
        summaryNanoUsd: summarizer.costNanoUsd
      },
      estimate
    )
  }

  private compact(shell: Shell, block: BlockAnswer, situation: Situation): Effect.Effect<Estimate, ContextTooLarge> {
    this.chooseLifetime(shell, situation)
    const { agentTools, conversation, maxTokens, midMessages, segmentMessages, summarizer, summaryWords } = this.options
    const room = this.room(shell)
    if (room <= 0) return Effect.fail(this.tooLarge(-1, maxTokens - room))
    const bands = { midMessages, segmentMessages, agentTools }
    const given = this.window.source(shell.model)
    const byUpstream = typeof block === "string" ? undefined : byBlock(given, block, bands)
    if (byUpstream !== undefined) {
      const estimate = this.adopt(byUpstream, shell)
      if (estimate.upperBound <= maxTokens) return this.settledOn(estimate, shell)
    }
    const heavy = Math.ceil(Math.min(summaryWords * tokensPerWord, room * 0.05))
    const tokens = { heavy, light: lightFactor * heavy }
    const maker = { conversation, model: shell.model, summarizer, maxTokens: tokens, fullRun: segmentMessages }
    const source = { ...given, layout: Layout.ownSegments(given.layout) }
    const context = this
    return Effect.gen(function* () {
      let estimate: Estimate = { tokens: 0, upperBound: 0 }
      for (const [index, plan] of plans(room, context.options.recentMessages).entries()) {
        estimate = context.adopt(yield* compact(source, plan, bands, maker), shell)
        if (estimate.upperBound <= maxTokens * acceptableShare(index)) return yield* context.settledOn(estimate, shell)
      }
      context.window.adopt(given.layout)
      const largest = source.retained.slice(-2).reduce((a, b) => (source.tokens(b) > source.tokens(a) ? b : a))
      return yield* context.tooLarge(largest.seq, estimate.upperBound)
    })
  }

  private adopt(layout: Layout.Layout, shell: Shell): Estimate {
    this.window.adopt(Layout.namedForRecall(layout, this.recallAs))
    return this.estimate(shell)
  }

  private settledOn(estimate: Estimate, { model }: Shell): Effect.Effect<Estimate> {
    this.window.forget(model)
    return Effect.succeed(estimate)
  }

  private tooLarge(seq: number, tokens: number): ContextTooLarge {
    return new ContextTooLarge({ conversation: this.options.conversation, seq, tokens, limit: this.options.maxTokens })
  }

  private prepared(shell: Shell, estimate: Estimate, decision: Decision): PreparedContext {
    const { estimator } = this.options
    const dressed = this.dressed(shell)
    return preparedOf({
      window: this.window,
      dressed,
      estimate,
      decision,
      shellTokens: estimator.estimate(requestOf(dressed, [])).tokens,
      tokens: (message) => estimator.message(message, shell.model).tokens
    })
  }
}
