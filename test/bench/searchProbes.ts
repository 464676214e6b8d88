import { Effect } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { MessageSearch } from "../../src/chat/MessageSearch.ts"
import { recallHistory } from "../../src/orchestrator/recall.ts"
import { transcript } from "../support/transcripts.ts"
import type { Probe } from "./probes.ts"

interface Asked {
  readonly probe: Probe
  readonly query: string
}

/** Those whose answer does not stand, word for word, in the one answer of `recall_history` to the query. */
export const missedBySearch = Effect.fnUntraced(function* (asked: ReadonlyArray<Asked>) {
  const repo = yield* ChatRepo
  const tool = recallHistory(yield* MessageSearch)
  const ids = new Map<string, string>()
  const missed: Array<Asked> = []
  for (const { probe, query } of asked) {
    const known = ids.get(probe.conversation)
    const id = known ?? (yield* repo.create({})).id
    if (known === undefined) yield* repo.append(id, transcript(`${probe.conversation}.jsonl`))
    ids.set(probe.conversation, id)
    const caller = { conversation: id, tenant: "default", agent: "orchestrator", toolUseId: "t" }
    const answer = String(yield* tool.run({ query }, caller))
    if (!probe.answerKeywords.every((word) => answer.includes(word))) missed.push({ probe, query })
  }
  return missed
})

export const byAnswer = (probe: Probe): Asked => ({ probe, query: probe.answerKeywords.join(" ") })
export const byQuestion = (probe: Probe): Asked => ({ probe, query: probe.question })
