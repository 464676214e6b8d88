import type { NewMessage } from "../../src/chat/ChatRepo.ts"

/** Numbers below 1, always the same ones. */
const makeRandom = (seed: number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const vocabulary = 60_000
const tools = ["Bash", "Read", "Edit", "Grep", "Write"]

/**
 * An agent's conversation without end: words as frequent as words are (the n-th most frequent one has 1/n of the first's
 * share), ids, paths and numbers that occur once, tool calls with results of very different lengths, and sub-agents.
 */
export const makeTalk = (seed = 7) => {
  const random = makeRandom(seed)
  const rank = () => Math.floor(vocabulary ** random()) - 1
  const word = () => wordOf(rank())
  const text = (median: number) =>
    Array.from({ length: Math.ceil(median * Math.exp(1.2 * (random() + random() + random() - 1.5) * 2)) }, word).join(
      " "
    )
  const hex = () => Math.floor(random() * 2 ** 40).toString(16)
  const path = () => `src/${word()}/${word()}.ts`
  let n = 0

  const call = (): ReadonlyArray<NewMessage> => {
    const id = `toolu_${n}`
    const agent = random() < 0.01
    const name = agent ? "Task" : (tools[Math.floor(random() * tools.length)] ?? "Bash")
    const input = agent
      ? { description: `T${Math.floor(n / 400)}: ${word()} ${word()}`, prompt: text(60) }
      : { path: path(), command: text(8) }
    const result = `${path()}:${Math.floor(random() * 900)} ${hex()}\n${text(agent ? 120 : 60)}`
    return [
      { role: "assistant", content: [{ type: "tool_use", id, name, input }], tokens: 100 },
      { role: "user", content: [{ type: "tool_result", tool_use_id: id, content: result }], tokens: 300 }
    ]
  }

  /** At least `count` more messages. */
  return (count: number): ReadonlyArray<NewMessage> => {
    const messages: Array<NewMessage> = []
    while (messages.length < count) {
      n++
      if (n % 12 === 0) messages.push({ role: "user", content: text(25), tokens: 60 })
      messages.push(...call())
      if (n % 12 === 11) messages.push({ role: "assistant", content: `${text(50)} ${hex()}`, tokens: 100 })
    }
    return messages
  }
}

const syllables = [
  "ka",
  "lo",
  "mi",
  "ter",
  "sun",
  "dra",
  "pel",
  "vo",
  "rix",
  "an",
  "bel",
  "cor",
  "dim",
  "fen",
  "gas",
  "hul"
]

/** The word of this rank; 0 is the most frequent one. */
export const wordOf = (rank: number): string => {
  const digits = (rank + 16).toString(16)
  return Array.from(digits, (digit) => syllables[Number.parseInt(digit, 16)]).join("")
}
