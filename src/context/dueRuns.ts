import type { StoredMessage } from "../domain/Conversation.ts"
import { runs } from "./Compactor.ts"

/**
 * `should_summarize`: the runs of about `size` messages from message `from` on that have left the recent band far enough
 * to be cut the same way at the compaction to come.
 */
export const dueRuns = (
  messages: ReadonlyArray<StoredMessage>,
  { from, recent, size }: { readonly from: number; readonly size: number; readonly recent: number }
): ReadonlyArray<ReadonlyArray<StoredMessage>> => {
  const start = from - (messages[0]?.seq ?? from)
  const end = messages.length - recent
  // The last run takes what is left, up to one and a half times the size: it is not known yet.
  return end - start < 1.5 * size ? [] : runs(messages, start, end, size).slice(0, -1)
}
