import { existsSync, readFileSync } from "node:fs"
import { Effect } from "effect"
import type { Bench, Policy } from "../../src/cli/replay/Policy.ts"
import { playWith } from "../../src/cli/replay/play.ts"
import { makeShortLived } from "../../src/cli/replay/policies.ts"
import { parseTranscripts } from "../../src/cli/replay/Transcript.ts"
import { type Message, startsTurn } from "../../src/domain/Message.ts"

export interface Probe {
  readonly conversation: string
  readonly kind: string
  readonly question: string
  readonly answerKeywords: ReadonlyArray<string>
  readonly onlyBeforeLast30: boolean
}

export const data = new URL("../../../shared/data/", import.meta.url)

/** The simple peer: every prompt of the user, and the last 30 messages. */
export const prompts: Policy = (history, bench) => {
  const lay = makeShortLived(bench)
  let sent: ReadonlyArray<Message> = []
  return {
    prompt: (upTo) =>
      Effect.sync(() => {
        const recent = Math.max(0, upTo - 30)
        sent = [...history.slice(0, recent).filter(startsTurn), ...history.slice(recent, upTo)]
        return lay(sent)
      }),
    messages: () => sent
  }
}

/** The context as one text: JSON escapes undone, so that keywords match what was said. */
const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  if (Array.isArray(value)) return value.map(textOf).join("\n")
  return typeof value === "object" && value !== null ? Object.values(value).map(textOf).join("\n") : String(value)
}

export const contextText = Effect.fnUntraced(function* (policy: Policy, conversation: string, bench: Bench) {
  const file = new URL(`conversations/${conversation}.jsonl`, data)
  const [transcript] = parseTranscripts(conversation, readFileSync(file, "utf8")).transcripts
  if (transcript === undefined) return ""
  const { catalog, model, prefixTokens } = bench
  const { messages } = yield* playWith(transcript, policy, bench, { catalog, model: catalog.get(model), prefixTokens })
  return messages.map((message) => textOf(message.content)).join("\n")
})

/** The memory probes beside the project; none where they are not. */
export const readProbes = (): ReadonlyArray<Probe> => {
  const file = new URL("probes.json", data)
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : []
}

/** Which probes the context at the end of their conversation answers. */
export const recalledBy = Effect.fnUntraced(function* (policy: Policy, probes: ReadonlyArray<Probe>, bench: Bench) {
  const recalled = new Set<Probe>()
  let chars = 0
  for (const conversation of new Set(probes.map((p) => p.conversation))) {
    const text = yield* contextText(policy, conversation, bench)
    chars += text.length
    for (const probe of probes) {
      if (probe.conversation === conversation && probe.answerKeywords.every((word) => text.includes(word)))
        recalled.add(probe)
    }
  }
  return { recalled, chars }
})
