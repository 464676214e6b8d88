import { Cause, Effect } from "effect"
import { type ContentBlock, isText, type ToolResultBlock, type ToolUseBlock } from "../domain/Message.ts"
import type { Tool, ToolContext } from "./TurnEvent.ts"

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

/** For a call that the model could not write to its end. */
export const cutOff = (id: string): ToolResultBlock =>
  result(id, "Not run: the call was cut off at max_tokens. Call the tool again with a shorter input.", true)

/** Upstream refuses blank text, also inside results. */
const sendable = (content: string | ReadonlyArray<ContentBlock>) =>
  typeof content === "string" ? content : content.filter((block) => !isText(block) || block.text.trim() !== "")

/** Runs one call. Whatever goes wrong is told to the model. */
const runTool = (
  use: ToolUseBlock,
  tools: ReadonlyMap<string, Tool>,
  context: Omit<ToolContext, "toolUseId">
): Effect.Effect<ToolResultBlock> => {
  const tool = tools.get(use.name)
  if (tool === undefined) {
    const known = [...tools.keys()].join(", ")
    return Effect.succeed(result(use.id, `There is no tool "${use.name}". The tools are: ${known}.`, true))
  }
  return Effect.suspend(() => tool.run(use.input, { ...context, toolUseId: use.id })).pipe(
    Effect.map((content) => result(use.id, sendable(content))),
    Effect.catch((error) => Effect.succeed(result(use.id, error.message, true))),
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
): Effect.Effect<void> =>
  Effect.forEach(uses, (use) => Effect.flatMap(runTool(use, tools, context), onResult), {
    concurrency: parallel,
    discard: true
  })
