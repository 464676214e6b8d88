import { Effect, Layer } from "effect"
import { type CompactHistory, compactionBeta, HistoryCompactor } from "../context/HistoryCompactor.ts"
import { NotWritten } from "../context/SummaryWriter.ts"
import type { Caller } from "../domain/Caller.ts"
import { blocksOf, type ContentBlock } from "../domain/Message.ts"
import type { AssistantMessage, MessagesRequest } from "../domain/MessagesRequest.ts"
import { Governor } from "../governor/Governor.ts"
import { summarizerCallers } from "./summarizerCaller.ts"

/** Tokens for the summary, and for what the model thinks before it writes. Every model that compacts may write more. */
const maxTokens = 8_192

/** Upstream's limit for `instructions`, in characters. */
const maxInstructions = 16_384

/** A model that calls a tool instead of writing is billed, and there is no summary. */
const noTools = "Do not call tools: answer with the text of the summary alone."

/** Breakpoints that upstream takes. */
const maxBreakpoints = 4

const breakpointsIn = ({ messages, shell: { system = [], tools = [] } }: CompactHistory): number =>
  [...tools, ...blocksOf(system), ...messages.flatMap(({ content }) => blocksOf(content))].filter(
    ({ cache_control }) => cache_control !== undefined && cache_control !== null
  ).length

/** As the conversation's own requests, with a breakpoint at the end: from there upstream finds what it holds of it. */
const requestOf = (history: CompactHistory): MessagesRequest => {
  const { model, system, tools } = history.shell
  return {
    model,
    max_tokens: maxTokens,
    ...(system === undefined ? {} : { system }),
    ...(tools === undefined ? {} : { tools }),
    ...(breakpointsIn(history) < maxBreakpoints ? { cache_control: { type: "ephemeral" } } : {}),
    messages: history.messages,
    compaction: { type: "summarize", instructions: `${noTools} ${history.instructions}`.slice(0, maxInstructions) }
  }
}

/** A whole summary is one block of text; a failed one is billed and brings none. */
const blockOf = ({ content, stop_reason }: AssistantMessage): ContentBlock | undefined => {
  const [block, ...others] = content
  const isWhole =
    stop_reason === "compaction" &&
    others.length === 0 &&
    block?.type === "compaction" &&
    typeof block.content === "string" &&
    block.content.trim() !== ""
  return isWhole ? block : undefined
}

/**
 * Compaction by the conversation's own model through the Governor: limited, counted and paid like any request, at
 * background priority, never from the response cache. It reads the conversation's prompt cache when model, system, tools
 * and messages are those that were sent.
 */
export const layerGovernedCompactor: Layer.Layer<HistoryCompactor, never, Governor> = Layer.effect(
  HistoryCompactor,
  Effect.gen(function* () {
    const governor = yield* Governor
    const callerOf = yield* summarizerCallers
    const options = { cache: "off", headers: { "anthropic-beta": compactionBeta } } as const
    const compact = Effect.fn("HistoryCompactor.compact")(function* (history: CompactHistory) {
      // Not routed as summaries are: only the conversation's own model has its prompt cached, and signs for it.
      const caller: Caller = { ...(yield* callerOf(history.conversation)), task: undefined }
      const { message } = yield* governor
        .run(requestOf(history), caller, options)
        .pipe(Effect.mapError((error) => new NotWritten({ reason: error.message })))
      const block = blockOf(message)
      if (block !== undefined) return block
      return yield* new NotWritten({ reason: `the compaction ended with ${message.stop_reason} and without a summary` })
    })
    return HistoryCompactor.of({ compact })
  })
)
