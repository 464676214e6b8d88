import type { StoredMessage } from "../../src/domain/Conversation.ts"
import type { Content, ContentBlock, Role } from "../../src/domain/Message.ts"

/** A small deterministic generator: the same numbers give the same history, and fewer numbers a shorter one. */
const words =
  "alpha beta gamma src/app/main.ts error failed 478 tests commit 2bcd4622 https://example.com/pull/171 decide never branch id=task_71 `code` ünï 漢字 😀".split(
    " "
  )

const prose = (seed: number, length: number): string => {
  let out = ""
  for (let i = 0; out.length < length; i++)
    out += `${words[(seed * 7 + i * 13 + ((i * i) % 5)) % words.length]}${i % 9 === 8 ? ".\n" : " "}`
  return out
}

interface Draft {
  readonly role: Role
  readonly content: Content
}

let calls = 0
const toolUse = (n: number): ContentBlock => ({
  type: "tool_use",
  id: n % 11 === 0 ? "toolu_same" : `toolu_${++calls}`,
  name: ["Bash", "Read", "Task", "Edit", "AskUserQuestion"][n % 5] ?? "Bash",
  input: { command: prose(n, 20 + (n % 60)), description: `step ${n}`, prompt: prose(n, n % 200) }
})

const idOf = (block: ContentBlock): string => (typeof block.id === "string" ? block.id : "")

const result = (id: string, n: number): ContentBlock => ({
  type: "tool_result",
  tool_use_id: id,
  ...(n % 7 === 0
    ? {}
    : { content: n % 3 === 0 ? prose(n, (n * 97) % 9000) : [{ type: "text", text: prose(n, (n * 31) % 4000) }] }),
  ...(n % 13 === 0 ? { is_error: true } : {})
})

/** A tool round; some calls stay unanswered, some answers come in a message of their own. */
const round = (n: number): ReadonlyArray<Draft> => {
  const uses = Array.from({ length: 1 + (n % 3) }, (_, i) => toolUse(n + i))
  const thinking: ReadonlyArray<ContentBlock> =
    n % 4 === 0 ? [{ type: "thinking", thinking: prose(n, 100), signature: "sig" }] : []
  const said: ReadonlyArray<ContentBlock> = n % 2 === 0 ? [{ type: "text", text: prose(n, 30 + (n % 300)) }] : []
  const results = uses.slice(n % 17 === 0 ? 1 : 0).map((use, i) => result(idOf(use), n + i))
  const answers: ReadonlyArray<Draft> =
    n % 6 === 0
      ? results.map((block) => ({ role: "user", content: [block] }))
      : results.length > 0
        ? [{ role: "user", content: results }]
        : [{ role: "user", content: "go on" }]
  return [{ role: "assistant", content: [...thinking, ...said, ...uses] }, ...answers]
}

const oddities: ReadonlyArray<(n: number) => ReadonlyArray<Draft>> = [
  (n) => [{ role: "user", content: [result(`toolu_nowhere_${n}`, n)] }],
  () => [{ role: "user", content: "" }],
  () => [{ role: "user", content: [{ type: "text", text: "  \n" }] }],
  () => [{ role: "assistant", content: [] }],
  (n) => [
    {
      role: "user",
      content: [
        { type: "a_block_of_tomorrow", payload: { n } },
        { type: "text", text: "see above" }
      ]
    }
  ],
  (n) => [{ role: "assistant", content: [{ type: "thinking", thinking: prose(n, 50), signature: "s" }] }]
]

const step = (n: number): ReadonlyArray<Draft> => {
  const kind = n % 20
  if (kind < 3) return [{ role: "user", content: prose(n, 10 + ((n * 37) % 900)) }]
  if (kind < 5) return [{ role: "assistant", content: [{ type: "text", text: prose(n, 20 + ((n * 53) % 1200)) }] }]
  if (kind === 5) return [{ role: "user", content: [{ type: "text", text: prose(n, 20_000 + ((n * 101) % 60_000)) }] }]
  if (kind === 6) return oddities[n % oddities.length]?.(n) ?? []
  return round(n)
}

/** A history of the numbers given: prompts, tool rounds, queued prompts, interruptions, oddities, pauses. */
export const historyOf = (numbers: ReadonlyArray<number>): ReadonlyArray<StoredMessage> => {
  calls = 0
  let at = 1_750_000_000_000
  return numbers
    .flatMap((n) => step(n).map((draft) => ({ draft, n })))
    .map(({ draft, n }, seq) => {
      at += n % 23 === 0 ? 400_000 : 1_000 * (n % 40)
      return { seq, role: draft.role, content: draft.content, tokens: 0, createdAt: at }
    })
}

/** Where requests happen: before each answer of the assistant, with everything said until then. */
export const requestPoints = (history: ReadonlyArray<StoredMessage>): ReadonlyArray<number> =>
  history.flatMap((message, index) =>
    message.role === "assistant" && index > 0 && history[index - 1]?.role === "user" ? [index] : []
  )
