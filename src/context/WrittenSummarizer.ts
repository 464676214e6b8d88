import { hash } from "node:crypto"
import { Effect, Queue } from "effect"
import { LRUCache } from "lru-cache"
import type { StoredMessage } from "../domain/Conversation.ts"
import { blocksOf, isText, isToolResult, isToolUse } from "../domain/Message.ts"
import type { Model } from "../models/ModelCatalog.ts"
import { pack, title, widths } from "./Extractive.ts"
import { factsOf } from "./Facts.ts"
import type { Summarizes, Summary, SummaryRequest } from "./Summary.ts"
import type { SummaryWriter, WrittenSummary } from "./SummaryWriter.ts"
import { headAndTail, textOf } from "./Text.ts"
import { dropped, groundedFacts } from "./Verified.ts"

export interface WrittenOptions {
  readonly extractive: Summarizes
  readonly writer: SummaryWriter["Service"]
  readonly agentTools: ReadonlySet<string>
  readonly words: number
  readonly count: (text: string, model: string) => number
  /** Of the model that writes. */
  readonly prices: Model["prices"]
}

/** Summaries that wait for their compaction, jobs that wait for the model, and what one job may take. */
const remembered = 2_000
const waiting = 200
const patience = "60 seconds"
/** A run that failed once is tried again when it is asked for again, at its next compaction. */
const tries = 2

interface Job {
  readonly request: SummaryRequest
  readonly failures: number
}

/** Characters of one block and of all: a run of twenty messages stays within about 12,000 tokens. */
const blockChars = 1_500
const sourceChars = 40_000

/** The source is about half of the run; the answer is short. */
const sourceShare = 0.5

/** Of what is condensed: branches of one conversation differ under the same numbers. */
const keyOf = ({ conversation, messages }: SummaryRequest): string =>
  hash("sha256", JSON.stringify([conversation, messages.map(({ content, role, seq }) => [seq, role, content])]), "hex")

const blockSource = (message: StoredMessage): string =>
  blocksOf(message.content)
    .map((block) => {
      if (isText(block)) return headAndTail(block.text, blockChars)
      if (isToolUse(block)) return `[calls ${block.name}] ${headAndTail(JSON.stringify(block.input) ?? "", blockChars)}`
      if (isToolResult(block)) return `[result] ${headAndTail(textOf(block.content), blockChars)}`
      return ""
    })
    .filter((text) => text.length > 0)
    .join("\n")

const sourceOf = (messages: ReadonlyArray<StoredMessage>): string =>
  headAndTail(messages.map((m) => `## Message ${m.seq}, ${m.role}\n${blockSource(m)}`).join("\n\n"), sourceChars)

const textsIn = (value: unknown): ReadonlyArray<string> => {
  if (typeof value === "string") return [value]
  if (typeof value === "number") return [String(value)]
  if (typeof value !== "object" || value === null) return []
  return Array.isArray(value) ? value.flatMap(textsIn) : Object.entries(value).flat().flatMap(textsIn)
}

/** All that was said, for checking: the model saw only a bounded part of it, and tool calls as JSON. */
const wholeText = (messages: ReadonlyArray<StoredMessage>): string =>
  messages
    .flatMap(({ content }) => blocksOf(content))
    .flatMap((block) => (isToolUse(block) ? [JSON.stringify(block.input) ?? ""] : []).concat(textsIn(block)))
    .join("\n")

/** A model's summary, checked against the messages, with the dear facts it left out, within the room it has. */
const compose = (request: SummaryRequest, written: WrittenSummary, options: WrittenOptions): Summary => {
  const { detail, maxTokens, messages, model } = request
  const count = (text: string) => options.count(text, model)
  const { lineChars } = widths[detail]
  const grounded = groundedFacts(written, wholeText(messages), 2 * lineChars)
  const extracted = factsOf(messages, { agentTools: options.agentTools, ...widths[detail] })
  const top = title(messages)
  const lines = pack([...grounded, ...dropped(extracted, grounded, 60)], maxTokens - count(top) - 2, count)
  const text = [top, ...lines].join("\n")
  return { text, tokens: count(text) }
}

/**
 * Answers at once, with the model's summary when it is ready and the extractive one otherwise, and has the model write in
 * the background, once a run: its answer serves the light and the heavy summary. What is announced `ahead` is ready when
 * its compaction comes, anything else at the next one.
 */
export const makeWritten = Effect.fnUntraced(function* (options: WrittenOptions) {
  const ready = new LRUCache<string, WrittenSummary>({ max: remembered })
  /** Runs that wait or are being written, and how often others were tried in vain. */
  const asked = new LRUCache<string, "waiting" | number>({ max: remembered })
  const jobs = yield* Queue.dropping<Job>(waiting)

  /** What finds no place in the queue may be asked for again; what the model failed at, once more. */
  const enqueue = (request: SummaryRequest): void => {
    const key = keyOf(request)
    const state = asked.get(key) ?? 0
    if (state !== "waiting" && state < tries && Queue.offerUnsafe(jobs, { request, failures: state })) {
      asked.set(key, "waiting")
    }
  }

  const write = ({ failures, request }: Job) => {
    const { conversation, messages } = request
    const failed = Effect.sync(() => asked.set(keyOf(request), failures + 1))
    return options.writer.write({ conversation, source: sourceOf(messages), words: options.words }).pipe(
      Effect.timeout(patience),
      Effect.map((written) => ready.set(keyOf(request), written)),
      Effect.catch((error) =>
        Effect.andThen(failed, Effect.logDebug(`Summary not written by the model: ${error.message}`))
      ),
      // One summary that breaks must not end all others.
      Effect.catchDefect((defect) =>
        Effect.andThen(failed, Effect.logWarning("A summary could not be written.", defect))
      )
    )
  }

  yield* Effect.forkScoped(Effect.forever(Effect.flatMap(Queue.take(jobs), write)))

  const ahead = (request: SummaryRequest) => Effect.sync(() => enqueue(request))

  const summarize = (request: SummaryRequest) =>
    Effect.suspend(() => {
      const written = ready.get(keyOf(request))
      const found = written === undefined ? undefined : compose(request, written, options)
      if (found !== undefined && found.tokens <= request.maxTokens) return Effect.succeed(found)
      enqueue(request)
      return options.extractive.summarize(request)
    })

  const costNanoUsd = (tokens: number): number => tokens * sourceShare * options.prices.input

  const service: Summarizes = { summarize, merge: options.extractive.merge, ahead, costNanoUsd }
  return service
})
