import { Clock, Duration, Effect, type Scope } from "effect"
import { ClaudeError, Unreachable } from "../../claude/ClaudeError.ts"
import type { Events, Reply, Whole } from "../../claude/Wire.ts"
import type { AssistantMessage, MessagesRequest } from "../../domain/MessagesRequest.ts"
import { consumed } from "../../domain/Usage.ts"
import { asksForCompaction } from "../rules/compaction.ts"
import { type Accepted, checkCount, checkMessages, isRefused } from "./Checks.ts"
import { compacted, compactionPrompt, summaryOf } from "./Compaction.ts"
import { errorReply } from "./Errors.ts"
import { eventScript } from "./EventScript.ts"
import type { Fault } from "./Faults.ts"
import { generate, promptUsage } from "./Generation.ts"
import { type Meter, pause, play, silence } from "./Playback.ts"
import { continued, layOut, type Prompt } from "./Prompt.ts"
import type { CachePlan } from "./PromptCache.ts"
import { respond, say } from "./Responder.ts"
import { keyOf, type SimulatedCall, type State } from "./State.ts"
import { loadTokenizer } from "./Tokenizer.ts"

const reset = new ClaudeError({ reason: new Unreachable({ detail: "the connection was reset" }) })

/** A call that was let in, with what it will be charged for. */
interface Admitted {
  readonly accepted: Accepted<MessagesRequest>
  readonly plan: CachePlan
  readonly prompt: Prompt
  readonly owner: string
  readonly requestId: string
  readonly headers: Readonly<Record<string, string>>
  readonly fault: Fault | undefined
  readonly call: SimulatedCall
}

const whole = (body: unknown, headers: Readonly<Record<string, string>>): Whole => ({
  _tag: "Whole",
  status: 200,
  headers: { ...headers, "content-type": "application/json" },
  body
})

/** Lets a call in, or says why not. */
const admit = Effect.fnUntraced(function* (
  state: State,
  call: SimulatedCall,
  fault: Fault | undefined
): Effect.fn.Return<Admitted | Whole> {
  const requestId = state.id("req")
  const accepted = checkMessages(call.body, call.headers)
  if (isRefused(accepted)) return errorReply(accepted.status, accepted.message, requestId, accepted)
  const { model, request } = accepted
  const tokenizer = yield* loadTokenizer
  const prompt = asksForCompaction(request)
    ? continued(layOut(request, model, tokenizer), compactionPrompt(request), model, tokenizer)
    : layOut(request, model, tokenizer)
  if (prompt.tokens > model.contextWindow) {
    return errorReply(400, `prompt is too long: ${prompt.tokens} tokens > ${model.contextWindow} maximum`, requestId)
  }
  const now = yield* Clock.currentTimeMillis
  const key = keyOf(call) ?? ""
  const cacheOwner = `${key}\0${model.id}`
  const plan = state.cache.plan({ owner: cacheOwner, prompt, minCacheable: model.minCacheable, nowMillis: now })
  const owner = `${key}\0${model.limitClass}`
  const counted = plan.bill.input + plan.bill.write5m + plan.bill.write1h
  const verdict = state.limits.admit(owner, counted, now)
  if (verdict.refused !== undefined) {
    const { waitMillis, what } = verdict.refused
    const retryAfter = String(Math.max(1, Math.ceil(waitMillis / 1000)))
    const text = `This request would exceed your organization's rate limit of ${what} per minute.`
    return errorReply(429, text, requestId, { headers: { ...verdict.headers, "retry-after": retryAfter } })
  }
  const headers = { ...verdict.headers, "request-id": requestId, "anthropic-organization-id": "simulated" }
  return { accepted, plan, prompt, owner, requestId, headers, fault, call }
})

/** Opens the bill: the prompt is charged now, output as it comes, and a client that goes away closes it as it stands. */
const meterOf = Effect.fnUntraced(function* (
  state: State,
  admitted: Admitted,
  messageId: string
): Effect.fn.Return<Meter, never, Scope.Scope> {
  const { accepted, call, owner, plan, requestId } = admitted
  const at = yield* Clock.currentTimeMillis
  const clientRequestId = call.headers["x-client-request-id"]
  const entry = state.bill.open(
    { requestId, messageId, clientRequestId, model: accepted.model.id, at },
    promptUsage(plan.bill)
  )
  yield* Effect.addFinalizer(() => Effect.sync(() => entry.close("aborted")))
  return {
    generated: (tokens) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        entry.generate(tokens)
        state.limits.generated(owner, tokens, now)
      }),
    completed: Effect.sync(() => entry.close("complete"))
  }
})

const streamed = (admitted: Admitted, message: AssistantMessage, meter: Meter, millisPerToken: number): Events => ({
  _tag: "Events",
  status: 200,
  headers: { ...admitted.headers, "content-type": "text/event-stream; charset=utf-8" },
  events: play({
    steps: eventScript(message),
    millisPerToken,
    fault: admitted.fault,
    requestId: admitted.requestId,
    idleMillis: admitted.call.idleMillis,
    meter
  })
})

const atOnce = Effect.fnUntraced(function* (
  admitted: Admitted,
  message: AssistantMessage,
  meter: Meter,
  millisPerToken: number
): Effect.fn.Return<Whole, ClaudeError> {
  const tokens = consumed(message.usage).output
  const start = yield* Clock.currentTimeMillis
  yield* pause(tokens * millisPerToken).pipe(
    // What was generated before the client went away is charged.
    Effect.onInterrupt(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) =>
        meter.generated(Math.min(tokens, Math.floor((now - start) / millisPerToken)))
      )
    )
  )
  yield* meter.generated(tokens)
  if (admitted.fault?._tag === "Cut") return yield* reset
  if (admitted.fault?._tag === "Stall") return yield* silence(admitted.call.answerMillis)
  yield* meter.completed
  return whole(message, admitted.headers)
})

const millis = (input: Duration.Input | undefined): number => Duration.toMillis(Duration.fromInputUnsafe(input ?? 0))

/** What the model answers: a summary, where the history is to be compacted. */
const answered = Effect.fnUntraced(function* (
  state: State,
  { accepted: { model, request }, plan, prompt }: Admitted,
  messageId: string
): Effect.fn.Return<AssistantMessage> {
  const common = { request, model, tokenizer: yield* loadTokenizer, bill: plan.bill, messageId }
  const scripted = state.answers.shift()
  if (asksForCompaction(request)) {
    return compacted({ ...common, answer: scripted ?? state.options.rule?.(request) ?? say(summaryOf(request)) })
  }
  const message = generate({
    ...common,
    answer: scripted ?? respond(request, state.options.rule),
    toolUseId: () => state.id("toolu")
  })
  const diagnostics = state.diagnoses.diagnose(request, messageId, prompt, plan.bill.cacheRead)
  return diagnostics === null ? message : { ...message, diagnostics }
})

/** `POST /v1/messages`. */
export const messagesCall = Effect.fnUntraced(function* (
  state: State,
  call: SimulatedCall
): Effect.fn.Return<Reply, ClaudeError, Scope.Scope> {
  const fault = state.faults.shift()
  if (fault?._tag === "Reset") return yield* reset
  if (fault?._tag === "Refuse") {
    return errorReply(fault.status, fault.message ?? "refused", state.id("req"), {
      errorCode: fault.errorCode,
      headers: fault.headers
    })
  }
  const admitted = yield* admit(state, call, fault)
  if ("_tag" in admitted) return admitted
  const messageId = state.id("msg")
  const meter = yield* meterOf(state, admitted, messageId)
  const firstByte = millis(state.options.firstByte)
  if (fault?._tag === "Hang" || firstByte > call.answerMillis) return yield* silence(call.answerMillis)
  yield* pause(firstByte)
  admitted.plan.commit()
  const message = yield* answered(state, admitted, messageId)
  const perToken = millis(state.options.perToken)
  return admitted.accepted.request.stream === true
    ? streamed(admitted, message, meter, perToken)
    : yield* atOnce(admitted, message, meter, perToken)
})

/** `POST /v1/messages/count_tokens`: free, unlimited, without the cache. */
export const countCall = Effect.fnUntraced(function* (state: State, call: SimulatedCall): Effect.fn.Return<Whole> {
  const requestId = state.id("req")
  const accepted = checkCount(call.body, call.headers)
  if (isRefused(accepted)) return errorReply(accepted.status, accepted.message, requestId, accepted)
  const prompt = layOut(accepted.request, accepted.model, yield* loadTokenizer)
  return whole({ input_tokens: prompt.tokens }, { "request-id": requestId })
})
