import { Cause, Effect, Predicate } from "effect"
import { maxMessageBytes } from "../chat/ChatRepo.ts"
import { nestsAtMost, wellFormed } from "../domain/Json.ts"
import { type ContentBlock, isContent, isText, type ToolResultBlock, type ToolUseBlock } from "../domain/Message.ts"
import type { Tool, ToolContext } from "./TurnEvent.ts"
import { mostLevels } from "./validate.ts"

/** Tools of one message that run at the same time. */
const parallel = 8

const result = (id: string, content: string | ReadonlyArray<ContentBlock>, isError = false): ToolResultBlock => ({
  type: "tool_result",
  tool_use_id: id,
  content,
  ...(isError ? { is_error: true } : {})
})

/** For a call that nobody knows the outcome of: the process or the turn ended while it ran. */
export const interrupted = (id: string): ToolResultBlock =>
  result(id, "Interrupted: the tool may or may not have done its work; its result was not recorded.", true)

const reasons: ReadonlyMap<string | null, string> = new Map([
  ["max_tokens", "the call was cut off at max_tokens. Call the tool again with a shorter input."],
  ["model_context_window_exceeded", "the call was cut off where the model's context window was full."],
  ["refusal", "the answer was refused before it was complete."]
])

/** Why the calls of an answer that stopped so are not run: the last one may lack a part of its input. */
export const notRun = (stopReason: string | null): ((id: string) => ToolResultBlock) | undefined => {
  const reason = reasons.get(stopReason)
  return reason === undefined ? undefined : (id) => result(id, `Not run: ${reason}`, true)
}

/** Upstream refuses blank text, also inside results. */
const sendable = (content: string | ReadonlyArray<ContentBlock>) =>
  typeof content === "string" ? content : content.filter((block) => !isText(block) || block.text.trim() !== "")

const jsonBytes = (value: unknown): number | undefined => {
  try {
    return Buffer.byteLength(JSON.stringify(value))
  } catch {
    return undefined
  }
}

/** What a tool gave, if that can be stored and sent. Tools without TypeScript can give anything. */
const given = (id: string, content: unknown, mostBytes: number): ToolResultBlock => {
  if (content === undefined || content === null) return result(id, "")
  if (!isContent(content)) return result(id, "The tool returned neither text nor a list of content blocks.", true)
  if (!nestsAtMost(mostLevels, content))
    return result(id, "The tool returned something that is nested too deeply.", true)
  const block = result(id, sendable(content))
  const bytes = jsonBytes(block)
  if (bytes === undefined) return result(id, "The tool returned something that JSON cannot hold.", true)
  // Upstream refuses halves of characters; a tool that cuts its output by length leaves some.
  if (bytes <= mostBytes) return wellFormed(block)
  return result(id, `The tool returned ${bytes} bytes; at most ${mostBytes} can be kept. Ask it for less.`, true)
}

const longestFailure = 100_000

/** Upstream refuses a failure without words. */
const failure = (id: string, error: unknown): ToolResultBlock => {
  const message = Predicate.hasProperty(error, "message") ? String(error.message).trim() : ""
  return result(id, message.slice(0, longestFailure).toWellFormed() || "The tool failed and did not say why.", true)
}

const noEffect = Effect.die(new TypeError("its `run` returned no Effect"))

/** Runs one call. Whatever goes wrong is told to the model. */
const runTool = (
  use: ToolUseBlock,
  tools: ReadonlyMap<string, Tool>,
  context: Omit<ToolContext, "toolUseId">,
  mostBytes: number
): Effect.Effect<ToolResultBlock> => {
  const tool = tools.get(use.name)
  if (tool === undefined) {
    const known = [...tools.keys()].join(", ")
    return Effect.succeed(result(use.id, `There is no tool "${use.name}". The tools are: ${known}.`, true))
  }
  const run = Effect.suspend(() => {
    const running = tool.run(use.input, { ...context, toolUseId: use.id })
    return Effect.isEffect(running) ? running : noEffect
  })
  return run.pipe(
    Effect.map((content) => given(use.id, content, mostBytes)),
    Effect.catch((error) => Effect.succeed(failure(use.id, error))),
    Effect.catchCause((cause) =>
      Effect.as(
        Effect.logWarning(`Tool ${use.name} broke`, cause),
        result(use.id, `The tool broke: ${Cause.pretty(cause).split("\n", 1)[0]}`, true)
      )
    )
  )
}

/** Runs the calls of one message side by side; `onResult` hears of each as it is there. */
export const runTools = (
  uses: ReadonlyArray<ToolUseBlock>,
  tools: ReadonlyMap<string, Tool>,
  context: Omit<ToolContext, "toolUseId">,
  onResult: (result: ToolResultBlock) => Effect.Effect<unknown>
): Effect.Effect<void> => {
  // They are stored as one message, in brackets and with commas between them.
  const mostBytes = Math.floor((maxMessageBytes - 2) / Math.max(1, uses.length)) - 1
  return Effect.forEach(uses, (use) => Effect.flatMap(runTool(use, tools, context, mostBytes), onResult), {
    concurrency: parallel,
    discard: true
  })
}
