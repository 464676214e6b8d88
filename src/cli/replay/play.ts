import { Clock, Effect } from "effect"
import type { StoredMessage } from "../../domain/Conversation.ts"
import type { Usage } from "../../domain/Usage.ts"
import { addTotals, type Metered, type MeterOptions, meter, noTotals, type Prompt, type Totals } from "./Meter.ts"
import type { Bench, Player, Policy, PolicyName } from "./Policy.ts"
import { policies } from "./policies.ts"
import { type Needs, noNeeds, recalled } from "./Recall.ts"
import type { MissCause } from "./Totals.ts"
import type { Transcript } from "./Transcript.ts"

/** Where requests happened: before each answer of the assistant that follows something else. */
export const requestPoints = (messages: ReadonlyArray<StoredMessage>): ReadonlyArray<number> =>
  messages.flatMap((message, index) =>
    message.role === "assistant" && index > 0 && messages[index - 1]?.role !== "assistant" ? [index] : []
  )

/** One request of a replay. Tokens without the fixed prefix, except for `usage`. */
export interface Played {
  readonly prompt: Prompt
  readonly raw: number
  readonly usage: Usage
  readonly inputNanoUsd: number
  readonly miss: MissCause | undefined
}

export interface PlayOptions extends MeterOptions {
  /** Messages before each request; by default those before each recorded answer. */
  readonly points?: ReadonlyArray<number>
  /** What answers needed from further back; without it recall is not measured. */
  readonly needs?: Needs
  /** Told of each request. */
  readonly onRequest?: (played: Played) => void
}

/** Output of the answer that starts at `point`: what was logged, or what its text weighs where the log holds a stub. */
const outputOf = (transcript: Transcript, point: number, { estimator, model }: Bench): number => {
  let tokens = 0
  for (let i = point; transcript.messages[i]?.role === "assistant"; i++) {
    const message = transcript.messages[i]
    if (message === undefined) break
    tokens += Math.max(transcript.outputTokens.get(i) ?? 0, estimator.message(message, model).tokens)
  }
  return tokens
}

/** `playWith` one of the named policies. */
export const play = (transcript: Transcript, policy: PolicyName, bench: Bench, options: PlayOptions) =>
  playWith(transcript, policies[policy], bench, options)

/** Replays one conversation under a policy, with the recorded answers as upstream's. */
export const playWith = Effect.fnUntraced(function* (
  transcript: Transcript,
  policy: Policy,
  bench: Bench,
  options: PlayOptions
) {
  const started = yield* Clock.currentTimeMillis
  const { messages } = transcript
  const player: Player = policy(messages, bench)
  let totals: Totals = noTotals
  let raw = 0
  let said = 0
  let lastAt: number | undefined
  let cachedBefore = 0
  let longBefore = false
  for (const point of options.points ?? requestPoints(messages)) {
    for (const message of messages.slice(said, point)) raw += bench.estimator.message(message, bench.model).tokens
    said = point
    const at = messages[point - 1]?.createdAt ?? 0
    const request: Metered = {
      prompt: yield* player.prompt(point),
      raw,
      output: outputOf(transcript, point, bench),
      idleMillis: lastAt === undefined ? Number.POSITIVE_INFINITY : at - lastAt,
      cachedBefore,
      longBefore
    }
    lastAt = at
    const reading = meter(request, options)
    const { miss, usage } = reading
    player.settled?.(usage)
    longBefore = request.prompt.longLived
    cachedBefore = usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h
    totals = addTotals(totals, { ...reading.totals, ...recalled(options.needs ?? noNeeds, point, player) })
    options.onRequest?.({ prompt: request.prompt, raw, usage, inputNanoUsd: reading.totals.inputNanoUsd, miss })
  }
  const elapsedMs = (yield* Clock.currentTimeMillis) - started
  return { totals: { ...totals, elapsedMs }, messages: player.messages() }
})
