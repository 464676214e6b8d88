import { Effect } from "effect"
import { decide } from "../../context/CompactionPolicy.ts"
import { ConversationContext } from "../../context/ConversationContext.ts"
import type { PreparedContext } from "../../context/PreparedContext.ts"
import { cutAtOrAfter } from "../../context/Rounds.ts"
import { settingsOptions } from "../../context/settingsOptions.ts"
import type { StoredMessage } from "../../domain/Conversation.ts"
import type { Message } from "../../domain/Message.ts"
import type { Prompt } from "./Meter.ts"
import type { Bench, Policy, PolicyName } from "./Policy.ts"
import { SeedSummary } from "./SeedSummary.ts"
import { endingWith, longTokens, makeUnits, repeated, textUnit, tokensOf, type Unit } from "./Units.ts"

/** What clients put at the end of a request, for five minutes. */
const atTheEnd = { type: "ephemeral" } as const

/** What a policy that keeps everything for five minutes says of the long-lived part. */
const shortLived = { long: 0, longLived: false } as const

const noSummaries = { old: 0, mid: 0 } as const

/** Lays prompts out against the ones before them, for policies that keep everything for five minutes. */
export const makeShortLived = (bench: Bench) => {
  const unitsOf = makeUnits(bench)
  let before: ReadonlyArray<Unit> = []
  return (sent: ReadonlyArray<Message>, texts: ReadonlyArray<Unit> = []) => {
    const now = endingWith([...texts, ...unitsOf(sent)], atTheEnd)
    const again = repeated(before, now)
    before = now
    return { tokens: tokensOf(now), ...again, ...shortLived, bands: noSummaries, compaction: false }
  }
}

/** The whole history, only ever appended to: prompt caching at its best, without upstream's limit of the lookback. */
const none: Policy = (history, bench) => {
  let tokens = 0
  let said = 0
  return {
    prompt: (upTo) =>
      Effect.sync(() => {
        const shared = tokens
        for (const message of history.slice(said, upTo)) tokens += bench.estimator.message(message, bench.model).tokens
        said = Math.max(said, upTo)
        const again = { shared, sharedLong: 0, beyond: shared }
        return { tokens, ...again, ...shortLived, bands: noSummaries, compaction: false }
      }),
    messages: () => history.slice(0, said),
    complete: true
  }
}

/** First message of the last `size`, moved on to where a context may be cut. */
const windowStart = (history: ReadonlyArray<StoredMessage>, upTo: number, size: number): number =>
  upTo <= size ? 0 : Math.min(upTo - 1, cutAtOrAfter(history, upTo - size))

/** The last N messages (RECENT_MESSAGES_FULL): the prompt's beginning moves on with every request. */
const window: Policy = (history, bench) => {
  const lay = makeShortLived(bench)
  let sent: ReadonlyArray<Message> = []
  return {
    prompt: (upTo) =>
      Effect.sync(() => {
        sent = history.slice(windowStart(history, upTo, bench.settings.recentMessagesFull), upTo)
        return lay(sent)
      }),
    messages: () => sent
  }
}

/** The last 30 messages and two summaries, rebuilt at every request, as the seed's implementation did it. */
const seed: Policy = (history, bench) => {
  const lay = makeShortLived(bench)
  const { midRangeMessages, recentMessagesFull } = bench.settings
  const summaries = new SeedSummary(history, new Set(bench.settings.agentTools))
  let sent: ReadonlyArray<Message> = []
  return {
    prompt: (upTo) =>
      Effect.sync(() => {
        const recent = windowStart(history, upTo, recentMessagesFull)
        const edge = Math.max(0, Math.min(recent, upTo - midRangeMessages))
        const texts = [summaries.text(0, edge, "Earlier"), summaries.text(edge, recent, "Recent")]
        const [old, mid] = texts.map((text) => (text === "" ? [] : [textUnit(text, bench)]))
        const said = texts.filter((text) => text !== "")
        const kept = history.slice(recent, upTo)
        sent = said.length === 0 ? kept : [{ role: "user", content: said.join("\n\n") }, ...kept]
        const bands = { old: tokensOf(old ?? []), mid: tokensOf(mid ?? []) }
        return { ...lay(kept, [...(old ?? []), ...(mid ?? [])]), bands, compaction: recent > 0 }
      }),
    messages: () => sent
  }
}

/** Every request weighs what surrounds its messages, too. */
const withPrefix = ({ estimator, prefixTokens }: Bench): Bench["estimator"] => ({
  ...estimator,
  estimate: (request) => {
    const { tokens, upperBound } = estimator.estimate(request)
    return { tokens: tokens + prefixTokens, upperBound: upperBound + prefixTokens }
  }
})

/** What the service does. */
const contextFor = (bench: Bench, policy: Decide) => {
  const { catalog, settings, summarizer } = bench
  const estimator = withPrefix(bench)
  return new ConversationContext({
    conversation: "replay",
    estimator,
    summarizer,
    catalog,
    ...settingsOptions(settings),
    policy
  })
}

type Decide = typeof decide

const bandsOf = ({ entries }: PreparedContext): Prompt["bands"] => {
  const tokens = (band: "old" | "mid") =>
    entries.reduce((sum, entry) => (entry.segment && entry.band === band ? sum + entry.tokens : sum), 0)
  return { old: tokens("old"), mid: tokens("mid") }
}

/** Sluice's context under a policy of one's own. `onPrepared` is told of each prompt as it is sent. */
export const sluiceWith =
  (policy: Decide, onPrepared: (prepared: PreparedContext) => void = () => undefined): Policy =>
  (history, bench) => {
    const context = contextFor(bench, policy)
    const unitsOf = makeUnits(bench)
    let before: ReadonlyArray<Unit> = []
    let last: PreparedContext | undefined
    return {
      prompt: (upTo) =>
        Effect.suspend(() => {
          context.append(history.slice(context.next, upTo), bench.model)
          return Effect.map(context.prepare({ model: bench.model }), (prepared) => {
            last = prepared
            onPrepared(prepared)
            const now = endingWith(unitsOf(prepared.messages), prepared.cacheControl)
            const again = repeated(before, now)
            before = now
            return {
              tokens: prepared.estimatedTokens - bench.prefixTokens,
              ...again,
              bands: bandsOf(prepared),
              long: longTokens(now),
              longLived: prepared.longLived,
              compaction: prepared.compaction !== undefined
            }
          })
        }),
      messages: () => last?.messages ?? [],
      settled: (usage) => context.settled(usage)
    }
  }

const withObjective =
  (compactionObjective: "dollars" | "tokens"): Policy =>
  (history, bench) =>
    sluiceWith(decide)(history, { ...bench, settings: { ...bench.settings, compactionObjective } })

export const policies: Readonly<Record<PolicyName, Policy>> = {
  none,
  window,
  seed,
  sluice: sluiceWith(decide),
  "sluice-dollars": withObjective("dollars"),
  "sluice-tokens": withObjective("tokens")
}
