import { Effect } from "effect"
import { decide } from "../../context/CompactionPolicy.ts"
import { ConversationContext } from "../../context/ConversationContext.ts"
import type { PreparedContext } from "../../context/PreparedContext.ts"
import { cutAtOrAfter } from "../../context/Rounds.ts"
import { settingsOptions } from "../../context/settingsOptions.ts"
import type { StoredMessage } from "../../domain/Conversation.ts"
import { isText, type Message } from "../../domain/Message.ts"
import {
  type Bench,
  longTokens,
  type Policy,
  type PolicyName,
  sharedTokens,
  shortLived,
  tokensOf,
  type Unit
} from "./Policy.ts"
import { SeedSummary } from "./SeedSummary.ts"

const endsWithBreakpoint = (units: ReadonlyArray<Unit>): ReadonlyArray<Unit> =>
  units.map((unit, index) => (index === units.length - 1 ? { ...unit, breakpoint: "5m" as const } : unit))

const unitOf =
  ({ estimator, model }: Bench) =>
  (message: Message): Unit => ({ key: message, tokens: estimator.message(message, model).tokens, breakpoint: false })

/** The whole history, only ever appended to: prompt caching at its best. */
const none: Policy = (history, bench) => {
  const unit = unitOf(bench)
  let tokens = 0
  let said = 0
  return {
    prompt: (upTo) =>
      Effect.sync(() => {
        const shared = tokens
        for (; said < upTo; said++)
          tokens += history[said] === undefined ? 0 : unit(history[said] as StoredMessage).tokens
        return { tokens, shared, ...shortLived, compaction: false }
      }),
    messages: () => history.slice(0, said)
  }
}

/** First message of the last `size`, moved on to where a context may be cut. */
const windowStart = (history: ReadonlyArray<StoredMessage>, upTo: number, size: number): number =>
  upTo <= size ? 0 : Math.min(upTo - 1, cutAtOrAfter(history, upTo - size))

/** The last N messages (RECENT_MESSAGES_FULL): the prompt's beginning moves on with every request. */
const window: Policy = (history, bench) => {
  const unit = unitOf(bench)
  let before: ReadonlyArray<Unit> = []
  let sent: ReadonlyArray<Message> = []
  return {
    prompt: (upTo) =>
      Effect.sync(() => {
        sent = history.slice(windowStart(history, upTo, bench.settings.recentMessagesFull), upTo)
        const units = endsWithBreakpoint(sent.map(unit))
        const { shared } = sharedTokens(before, units)
        before = units
        return { tokens: tokensOf(units), shared, ...shortLived, compaction: false }
      }),
    messages: () => sent
  }
}

/** The last 30 messages and two summaries, rebuilt at every request, as the seed's implementation did it. */
const seed: Policy = (history, bench) => {
  const unit = unitOf(bench)
  const { midRangeMessages, recentMessagesFull } = bench.settings
  const summaries = new SeedSummary(history, new Set(bench.settings.agentTools))
  let before: ReadonlyArray<Unit> = []
  let sent: ReadonlyArray<Message> = []
  return {
    prompt: (upTo) =>
      Effect.sync(() => {
        const recent = windowStart(history, upTo, recentMessagesFull)
        const old = Math.max(0, Math.min(recent, upTo - midRangeMessages))
        const texts = [summaries.text(0, old, "Earlier"), summaries.text(old, recent, "Recent")].filter((t) => t !== "")
        const opening: ReadonlyArray<Message> =
          texts.length === 0 ? [] : [{ role: "user", content: texts.join("\n\n") }]
        sent = [...opening, ...history.slice(recent, upTo)]
        const summary: ReadonlyArray<Unit> = texts.map((text) => ({
          key: text,
          tokens: bench.estimator.text(text, bench.model).tokens,
          breakpoint: false
        }))
        const units = endsWithBreakpoint([...summary, ...history.slice(recent, upTo).map(unit)])
        const { shared } = sharedTokens(before, units)
        before = units
        return { tokens: tokensOf(units), shared, ...shortLived, compaction: recent > 0 }
      }),
    messages: () => sent
  }
}

const lifetime = (mark: unknown): Unit["breakpoint"] => {
  if (typeof mark !== "object" || mark === null) return false
  return "ttl" in mark && mark.ttl === "1h" ? "1h" : "5m"
}

/** The first message of a compacted context block by block (segments keep their place), the others whole. */
const unitsOf = (messages: ReadonlyArray<Message>, bench: Bench): ReadonlyArray<Unit> => {
  const unit = unitOf(bench)
  const [first, ...rest] = messages
  if (first === undefined || typeof first.content === "string" || !first.content.some((b) => "cache_control" in b)) {
    return endsWithBreakpoint(messages.map(unit))
  }
  const whole = unit(first).tokens
  const own = first.content.map((block) => ({
    key: isText(block) ? block.text : block,
    tokens: isText(block) ? bench.estimator.text(block.text, bench.model).tokens : 0,
    breakpoint: lifetime(block.cache_control)
  }))
  const counted = tokensOf(own)
  const scaled = own.map((u) => ({ ...u, tokens: counted === 0 ? 0 : Math.round((u.tokens * whole) / counted) }))
  return endsWithBreakpoint([...scaled, ...rest.map(unit)])
}

/** What the service does. */
export const contextFor = (conversation: string, bench: Bench, policy: Decide = decide) => {
  const { catalog, estimator, prefixTokens, settings, summarizer } = bench
  return new ConversationContext({
    conversation,
    estimator,
    summarizer,
    catalog,
    ...settingsOptions(settings),
    policy,
    maxTokens: settings.maxContextTokens - prefixTokens
  })
}

type Decide = typeof decide

/** Sluice's context under a policy of one's own. */
export const sluiceWith =
  (policy: Decide): Policy =>
  (history, bench) => {
    const context = contextFor("replay", bench, policy)
    let before: ReadonlyArray<Unit> = []
    let last: PreparedContext | undefined
    return {
      prompt: (upTo) =>
        Effect.suspend(() => {
          context.append(history.slice(context.next, upTo), bench.model)
          return Effect.map(context.prepare({ model: bench.model }), (prepared) => {
            last = prepared
            const units = unitsOf(prepared.messages, bench)
            const shared = sharedTokens(before, units)
            before = units
            return {
              tokens: prepared.estimatedTokens,
              ...shared,
              long: longTokens(units),
              longLived: prepared.longLived,
              compaction: prepared.compaction !== undefined
            }
          })
        }),
      messages: () => last?.messages ?? []
    }
  }

export const policies: Readonly<Record<PolicyName, Policy>> = {
  none,
  window,
  seed,
  sluice: sluiceWith(decide)
}
