import { Effect, Semaphore } from "effect"
import { LRUCache } from "lru-cache"
import { ChatRepo } from "../chat/ChatRepo.ts"
import { ModelCatalog } from "../models/ModelCatalog.ts"
import { Settings } from "../Settings.ts"
import { TokenEstimator } from "../tokens/TokenEstimator.ts"
import { ConversationContext } from "./ConversationContext.ts"
import * as Layout from "./Layout.ts"
import { Outlook } from "./Outlook.ts"
import { readFrom } from "./reading.ts"
import { Summarizer } from "./Summarizer.ts"
import { settingsOptions } from "./settingsOptions.ts"

/** A conversation's context in memory; whoever changes it holds the lock. */
export interface Held {
  readonly context: ConversationContext
  readonly lock: Semaphore.Semaphore
  /** The layout that is in the database; another one in `context` still has to go there. */
  saved: Layout.Layout
  /** Somebody has heard that system and tools are large. */
  warned: boolean
}

/** Conversations held in memory, and their bytes, roughly; others are read again when they are asked for: O(context), not O(history). */
const heldConversations = 5_000
const heldBytes = 256 * 1024 * 1024
/** Of what surrounds the messages; of a token's text, twice: as it was stored and as it is sent. */
const ownBytes = 20_000
const bytesPerToken = 12

/** The contexts in memory, and the way to the database and back. */
export const makeHeldContexts = Effect.gen(function* () {
  const repo = yield* ChatRepo
  const estimator = yield* TokenEstimator
  const summarizer = yield* Summarizer
  const catalog = yield* ModelCatalog
  const settings = yield* Settings
  const outlook = new Outlook()
  const held = new LRUCache<string, Held>({
    max: heldConversations,
    maxSize: heldBytes,
    sizeCalculation: ({ context }) =>
      Math.min(heldBytes, ownBytes + bytesPerToken * Math.max(context.rhythm.lastTokens, context.heldTokens))
  })

  const options = (conversation: string) => ({
    conversation,
    estimator,
    summarizer,
    catalog,
    outlook,
    ...settingsOptions(settings)
  })

  const find = Effect.fnUntraced(function* (id: string) {
    const known = held.get(id)
    if (known !== undefined) return known
    const stored = yield* repo.layout(id)
    const layout =
      stored === null ? undefined : Layout.decode(stored, yield* repo.segments(id, Layout.hashesIn(stored)))
    if (stored !== null && layout === undefined) {
      yield* Effect.logWarning(
        `The context layout of conversation ${id} is unreadable: it is made anew from the messages.`
      )
    }
    const context = new ConversationContext(options(id), layout)
    const fresh: Held = {
      context,
      saved: context.layout,
      lock: Semaphore.makeUnsafe(1),
      warned: false
    }
    const raced = held.get(id)
    if (raced !== undefined) return raced
    held.set(id, fresh)
    return fresh
  })

  const catchUp = ({ context }: Held, id: string, model: string) =>
    readFrom(repo, id, context.next, (page) => context.append(page, model))

  const save = Effect.fnUntraced(
    function* (id: string, state: Held) {
      const { layout } = state.context
      if (layout === state.saved) return
      const known = new Set(state.saved.segments.map((segment) => segment.hash))
      yield* repo.saveSegments(
        id,
        layout.segments.filter((segment) => !known.has(segment.hash))
      )
      yield* repo.saveLayout(id, Layout.encode(layout))
      state.saved = layout
    },
    Effect.catch((error) =>
      Effect.logWarning(`The compaction is not saved yet, the next request tries again: ${error.message}`)
    )
  )

  /** To be told when it has grown: a cache weighs a value only when it is new to it. */
  const weigh = (id: string, state: Held): void => {
    held.delete(id)
    held.set(id, state)
  }

  return { peek: (id: string) => held.get(id), find, catchUp, save, weigh }
})
