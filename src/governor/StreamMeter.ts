import { makeCollector } from "../domain/AnswerCollector.ts"
import type { AssistantMessage, StreamEvent } from "../domain/MessagesRequest.ts"
import { consumed, zero as noUsage } from "../domain/Usage.ts"
import type { TokenizerGeneration } from "../models/ModelCatalog.ts"
import type { Billed } from "./Bookkeeping.ts"

/** Reads a stream's events and keeps what is needed to settle it. */
export interface StreamMeter {
  readonly read: (events: ReadonlyArray<StreamEvent>) => void
  /** `message_start` came: upstream has said what the prompt costs. */
  readonly started: () => boolean
  /** `message_stop` came. */
  readonly stopped: () => boolean
  /** Upstream's own figures; the output of a partial answer completed from what was received. */
  readonly billed: (partial: boolean) => Billed
  /** The answer, if it is whole and nothing in it was unknown. */
  readonly answer: () => AssistantMessage | undefined
}

/** Characters per output token, for what upstream could no longer count (reference: what Claude Code reckons with). */
const charsPerToken = { old: 4, new: 3 } as const

export const makeStreamMeter = (tokenizer: TokenizerGeneration): StreamMeter => {
  const collector = makeCollector()
  let started = false
  let stopped = false
  return {
    started: () => started,
    stopped: () => stopped,
    read: (events) => {
      for (const event of events) {
        collector.push(event)
        started ||= event.type === "message_start"
        stopped ||= event.type === "message_stop"
      }
    },
    billed: (partial) => {
      const { message, outputChars } = collector.collected()
      const usage = message === undefined ? noUsage : consumed(message.usage)
      const seen = partial ? Math.ceil(outputChars / charsPerToken[tokenizer]) : 0
      return { usage: { ...usage, output: Math.max(usage.output, seen) }, partial, api: message?.usage }
    },
    answer: () => {
      const { complete, faithful, message } = collector.collected()
      return complete && faithful ? message : undefined
    }
  }
}
