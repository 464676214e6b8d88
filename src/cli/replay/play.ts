import { Clock, Effect } from "effect"
import type { StoredMessage } from "../../domain/Conversation.ts"
import { addTotals, type Metered, type MeterOptions, meter, noTotals, type Totals } from "./Meter.ts"
import type { Bench, Player, Policy, PolicyName } from "./Policy.ts"
import { policies } from "./policies.ts"
import type { Transcript } from "./Transcript.ts"

/** Where requests happened: before each answer of the assistant that follows something else. */
export const requestPoints = (messages: ReadonlyArray<StoredMessage>): ReadonlyArray<number> =>
  messages.flatMap((message, index) =>
    message.role === "assistant" && index > 0 && messages[index - 1]?.role !== "assistant" ? [index] : []
  )

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
export const play = (transcript: Transcript, policy: PolicyName, bench: Bench, meterOptions: MeterOptions) =>
  playWith(transcript, policies[policy], bench, meterOptions)

/** Replays one conversation under a policy, with the recorded answers as upstream's. */
export const playWith = Effect.fnUntraced(function* (
  transcript: Transcript,
  policy: Policy,
  bench: Bench,
  meterOptions: MeterOptions
) {
  const started = yield* Clock.currentTimeMillis
  const { messages } = transcript
  const player: Player = policy(messages, bench)
  let totals: Totals = noTotals
  let raw = 0
  let said = 0
  let lastAt: number | undefined
  for (const point of requestPoints(messages)) {
    for (; said < point; said++) raw += messages[said] === undefined ? 0 : weigh(messages[said], bench)
    const at = messages[point - 1]?.createdAt ?? 0
    const request: Metered = {
      prompt: yield* player.prompt(point),
      raw,
      output: outputOf(transcript, point, bench),
      idleMillis: lastAt === undefined ? Number.POSITIVE_INFINITY : at - lastAt
    }
    lastAt = at
    totals = addTotals(totals, meter(request, meterOptions))
  }
  const elapsedMs = (yield* Clock.currentTimeMillis) - started
  return { totals: { ...totals, elapsedMs }, messages: player.messages() }
})

const weigh = (message: StoredMessage | undefined, { estimator, model }: Bench): number =>
  message === undefined ? 0 : estimator.message(message, model).tokens
