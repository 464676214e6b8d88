import { hash } from "node:crypto"
import { Cause, Effect, Queue } from "effect"
import { LRUCache } from "lru-cache"
import type { Model } from "../models/ModelCatalog.ts"
import { pack, title, widths } from "./Extractive.ts"
import { type Fact, factsOf } from "./Facts.ts"
import type { Summarizes, Summary, SummaryRequest } from "./Summary.ts"
import { saidIn, sourceOf } from "./SummarySource.ts"
import type { SummaryWriter, WriteRequest, WrittenSummary } from "./SummaryWriter.ts"
import { clip } from "./Text.ts"
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

/** Summaries that wait for their compaction, jobs that wait for the model, how many run at once, and what one may take. */
const remembered = 2_000
const waiting = 200
const writers = 4
const patience = "60 seconds"
/** A run that failed once is tried again when it is asked for again, at its next compaction. */
const tries = 2

interface Job {
  readonly key: string
  readonly asked: WriteRequest
  readonly failures: number
}

/** The source is about half of the run; the answer is short. */
const sourceShare = 0.5

/** Of what is condensed: branches of one conversation differ under the same numbers. */
const keyOf = ({ conversation, messages }: SummaryRequest): string =>
  hash("sha256", JSON.stringify([conversation, messages.map(({ content, role, seq }) => [seq, role, content])]), "hex")

/** A run's summary; what is grounded of it is found out once for the light and the heavy one. */
interface Ready {
  readonly written: WrittenSummary
  grounded?: ReadonlyArray<Fact>
}

const groundedIn = (ready: Ready, messages: SummaryRequest["messages"]): ReadonlyArray<Fact> => {
  ready.grounded ??= groundedFacts(ready.written, saidIn(messages))
  return ready.grounded
}

/** A model's summary, checked against the messages, with the facts it left out, the dearest first, within the room it has. */
const compose = (request: SummaryRequest, ready: Ready, options: WrittenOptions): Summary => {
  const { detail, maxTokens, messages, model } = request
  const count = (text: string) => options.count(text, model)
  const { lineChars } = widths[detail]
  const grounded = groundedIn(ready, messages).map((fact) => ({ ...fact, text: clip(fact.text, 2 * lineChars) }))
  const extracted = factsOf(messages, { agentTools: options.agentTools, ...widths[detail] })
  const top = title(messages)
  const lines = pack([...grounded, ...dropped(extracted, grounded)], maxTokens - count(top) - 2, count)
  const text = [top, ...lines].join("\n")
  return { text, tokens: count(text) }
}

/**
 * Answers at once, with the model's summary when it is ready and the extractive one otherwise, and has the model write in
 * the background, once a run: its answer serves the light and the heavy summary. What is announced `ahead` is ready when
 * its compaction comes, anything else at the next one.
 */
export const makeWritten = Effect.fnUntraced(function* (options: WrittenOptions) {
  const ready = new LRUCache<string, Ready>({ max: remembered })
  /** Runs that wait or are being written, and how often others were tried in vain. */
  const asked = new LRUCache<string, "waiting" | number>({ max: remembered })
  const jobs = yield* Queue.dropping<Job>(waiting)

  /** What finds no place in the queue may be asked for again; what the model failed at, once more. */
  const enqueue = (request: SummaryRequest): void => {
    const key = keyOf(request)
    const failures = asked.get(key) ?? 0
    if (ready.has(key) || failures === "waiting" || failures >= tries) return
    const { conversation, messages, tenant } = request
    const job = { conversation, tenant, source: sourceOf(messages), words: options.words }
    if (Queue.offerUnsafe(jobs, { key, asked: job, failures })) asked.set(key, "waiting")
  }

  const failed = ({ failures, key }: Job, cause: Cause.Cause<Error>) => {
    asked.set(key, failures + 1)
    const error = Cause.squash(cause)
    return Cause.hasFails(cause) && error instanceof Error
      ? Effect.logDebug(`Summary not written by the model: ${error.message}`)
      : Effect.logWarning("A summary could not be written.", cause)
  }

  const write = (job: Job) =>
    Effect.suspend(() => options.writer.write(job.asked)).pipe(
      Effect.timeout(patience),
      Effect.tap((written) => Effect.sync(() => ready.set(job.key, { written }) && asked.delete(job.key))),
      // One summary that breaks, or whose call is interrupted, must not end all others.
      Effect.catchCause((cause) => Effect.suspend(() => failed(job, cause)))
    )

  // A tenant whose turn is long in coming must not hold up all others.
  const worker = Effect.forever(Effect.flatMap(Queue.take(jobs), write))
  for (let i = 0; i < writers; i++) yield* Effect.forkScoped(worker)

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

  const { extractive } = options
  const service: Summarizes = { summarize, merge: extractive.merge, ahead, costNanoUsd, extractive }
  return service
})
