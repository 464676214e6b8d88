import { Effect } from "effect"
import { LRUCache } from "lru-cache"
import { ChatRepo } from "../chat/ChatRepo.ts"
import type { StoredMessage } from "../domain/Conversation.ts"
import { blocksOf, type ContentBlock, isText, type Message } from "../domain/Message.ts"
import { Settings } from "../Settings.ts"
import { TokenEstimator } from "../tokens/TokenEstimator.ts"
import type { ContextService } from "./ContextService.ts"
import { requestOf } from "./Prepared.ts"
import type { PreparedContext, Shell } from "./PreparedContext.ts"
import { Renderer } from "./Renderer.ts"
import { readFrom, statsOf, trimmer } from "./reading.ts"
import { hasThinking } from "./Shrink.ts"

/** Conversations remembered that go without the thinking of earlier turns. */
const remembered = 5_000

const nothingShrunk: ReadonlyMap<number, number> = new Map()

const flat = (messages: ReadonlyArray<Message>): ReadonlyArray<ContentBlock> =>
  messages.flatMap(({ content }) => blocksOf(content))

const isSame = (a: ContentBlock, b: ContentBlock | undefined): boolean =>
  a === b || (b !== undefined && isText(a) && isText(b) && a.text === b.text)

/** As they are stored, marks included, but for what upstream refuses; answers that nobody replied to yet come last. */
const acceptable = (stored: ReadonlyArray<StoredMessage>, thinkingFrom: number): ReadonlyArray<Message> => {
  const renderer = new Renderer({ thinkingFrom, shrunk: nothingShrunk, keepMarks: true })
  const rendered = renderer.append(stored)
  const asStored = stored.map(({ content, role }) => ({ role, content }))
  const before = flat(asStored.slice(0, rendered))
  const after = flat(renderer.messages)
  const isUnmended = before.length === after.length && before.every((block, at) => isSame(block, after[at]))
  return isUnmended ? asStored : [...renderer.messages, ...asStored.slice(rendered)]
}

/**
 * Histories as they are stored. Only what upstream refuses is mended: blank text, calls without a result, and thinking
 * that is bound to a context which was condensed, before that was switched off.
 */
export const makeUntouched = Effect.gen(function* () {
  const repo = yield* ChatRepo
  const estimator = yield* TokenEstimator
  const settings = yield* Settings

  const thinkingFrom = new LRUCache<string, number>({ max: remembered })

  const history = Effect.fnUntraced(function* (id: string) {
    const stored: Array<StoredMessage> = []
    yield* readFrom(repo, id, 0, (page) => stored.push(...page))
    return stored
  })

  const repair = Effect.fn("ContextManager.repair")(function* (id: string) {
    const from = thinkingFrom.get(id) ?? 0
    const stored = yield* history(id)
    const repairable = stored.some(({ content, seq }) => seq >= from && hasThinking(content))
    if (repairable) thinkingFrom.set(id, stored.length)
    return repairable
  })

  const prepare = Effect.fn("ContextManager.prepare")(function* (id: string, shell: Shell) {
    const stored = yield* history(id)
    const messages = acceptable(stored, thinkingFrom.get(id) ?? 0)
    const { tokens, upperBound } = estimator.estimate(requestOf(shell, messages))
    const prepared: PreparedContext = {
      messages,
      system: shell.system,
      tools: shell.tools,
      entries: stored.map((m) => ({ band: "recent", from: m.seq, to: m.seq + 1, tokens: m.tokens, segment: false })),
      estimatedTokens: tokens,
      upperBound,
      rawMessages: stored.length,
      rawTokens: tokens,
      cacheControl: undefined,
      longLived: false,
      breakpoints: [],
      betas: [],
      compaction: undefined,
      decision: { compact: false, reason: "context management is off", savesNanoUsd: 0 }
    }
    return prepared
  })

  const service: ContextService = {
    prepare,
    preview: prepare,
    appended: () => Effect.void,
    settled: () => Effect.void,
    repair,
    pin: () => Effect.void,
    unpin: () => Effect.void,
    pins: () => Effect.succeed([]),
    lastSummary: () => Effect.undefined,
    stats: (id) =>
      Effect.map(prepare(id, { model: settings.orchestratorModel }), (prepared) =>
        statsOf(id, prepared, settings.maxContextTokens, 0)
      ),
    trimToLimit: trimmer(estimator)
  }
  return service
})
