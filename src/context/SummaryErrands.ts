import { Effect } from "effect"
import type { StoredMessage } from "../domain/Conversation.ts"
import { startsTurn } from "../domain/Message.ts"
import type { ContextOptions } from "./ContextOptions.ts"
import { dueRuns } from "./dueRuns.ts"
import type { Shell } from "./PreparedContext.ts"
import { isCut } from "./Rounds.ts"
import { gather, standingText } from "./Standing.ts"
import type { BlockAnswer } from "./Summary.ts"
import type { Window } from "./Window.ts"

type Options = Pick<ContextOptions, "agentTools" | "conversation" | "recentMessages" | "segmentMessages" | "summarizer">

/** What is asked of a summarizer before a compaction needs it. Nothing here waits. */
export class SummaryErrands {
  /** Number of the first message whose run has not been announced. */
  private announced = 0
  private readonly options: Options
  private readonly window: Window

  constructor(options: Options, window: Window) {
    this.options = options
    this.window = window
  }

  /** Announces the runs that have come together since: the next compaction will ask for their summaries. */
  ahead({ model }: Shell): Effect.Effect<void> {
    const { conversation, recentMessages, segmentMessages, summarizer } = this.options
    const from = Math.max(this.announced, this.window.layout.boundary)
    const due = dueRuns(this.window.held, { from, size: segmentMessages, recent: recentMessages })
    this.announced = (due.at(-1)?.at(-1)?.seq ?? from - 1) + 1
    const ahead = (messages: ReadonlyArray<StoredMessage>) =>
      summarizer.ahead({ conversation, detail: "light", messages, maxTokens: 0, model })
    return Effect.forEach(due, ahead, { discard: true })
  }

  /** Upstream's block for everything before the current turn, where the summarizer can have one made; `shell` as it is sent. */
  block(shell: Shell): Effect.Effect<BlockAnswer> {
    const { agentTools, conversation, summarizer } = this.options
    const { full, layout } = this.window
    const turn = full.findLastIndex((m, i) => startsTurn(m) && full[i - 1]?.role === "assistant" && isCut(full, i))
    const upTo = full[turn]?.seq
    if (summarizer.block === undefined || upTo === undefined) return Effect.succeed("unavailable")
    return summarizer.block({
      conversation,
      shell,
      upTo,
      messages: () => this.window.sentBefore(upTo),
      keep: () => standingText(gather(layout.upcoming, full.slice(0, turn), agentTools))
    })
  }
}
