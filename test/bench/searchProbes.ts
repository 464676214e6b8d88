import { Effect } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { MessageSearch } from "../../src/chat/MessageSearch.ts"
import { recallHistory } from "../../src/orchestrator/recall.ts"
import { transcript } from "../support/transcripts.ts"
import type { Probe } from "./probes.ts"

/** The probes whose answer does not stand, word for word, in the one answer of `recall_history` to this query. */
export const missedBySearch = Effect.fnUntraced(function* (
  asked: ReadonlyArray<{ readonly probe: Probe; readonly query: string }>
) {
  const repo = yield* ChatRepo
  const tool = recallHistory(yield* MessageSearch)
  const ids = new Map<string, string>()
  const missed: Array<string> = []
  for (const { probe, query } of asked) {
    const known = ids.get(probe.conversation)
    const id = known ?? (yield* repo.create({})).id
    if (known === undefined) yield* repo.append(id, transcript(`${probe.conversation}.jsonl`))
    ids.set(probe.conversation, id)
    const caller = { conversation: id, tenant: "default", agent: "orchestrator", toolUseId: "t" }
    const answer = String(yield* tool.run({ query }, caller))
    if (!probe.answerKeywords.every((word) => answer.includes(word)))
      missed.push(`${probe.conversation}: ${query} → ${probe.answerKeywords.join(" | ")}`)
  }
  return missed
})
