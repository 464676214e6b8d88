import type { Task } from "../domain/Caller.ts"
import { type ContentBlock, isText, type Message } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"

/** What a request looks like, and what it was judged by. */
export interface Complexity {
  readonly task: Extract<Task, "simple" | "main" | "complex">
  readonly points: number
  /** The signs that were found, as `sign (+points)`. */
  readonly signs: ReadonlyArray<string>
}

/** What the signs look at: the newest question and the request's own parameters, never the whole history. */
interface Seen {
  readonly request: MessagesRequest
  readonly question: string
  readonly blocks: ReadonlyArray<ContentBlock>
}

interface Sign {
  readonly name: string
  readonly points: number
  readonly found: (seen: Seen) => boolean
}

const typeOf = (u: unknown): unknown => (typeof u === "object" && u !== null && "type" in u ? u.type : undefined)

const effortOf = ({ output_config: config }: MessagesRequest): unknown =>
  typeof config === "object" && config !== null && "effort" in config ? config.effort : undefined

const hard =
  /\b(prove|proof|architect(ure)?|design|refactor|debug|root cause|trade-?offs?|optimi[sz]e|migrat(e|ion)|concurren(t|cy)|security|step by step|why does)\b/i

/** The whole rule. A request with no point is simple, with one to four main work, with five or more complex. */
const signs: ReadonlyArray<Sign> = [
  { name: "tools", points: 2, found: ({ request }) => (request.tools?.length ?? 0) > 0 },
  {
    name: "thinking",
    points: 2,
    found: ({ request }) => ["enabled", "adaptive"].some((type) => type === typeOf(request.thinking))
  },
  { name: "high effort", points: 3, found: ({ request }) => /^(high|xhigh|max)$/.test(String(effortOf(request))) },
  { name: "a question over 1,500 characters", points: 1, found: ({ question }) => question.length > 1_500 },
  { name: "a question over 12,000 characters", points: 1, found: ({ question }) => question.length > 12_000 },
  { name: "code", points: 1, found: ({ question }) => question.includes("```") },
  { name: "words of hard work", points: 1, found: ({ question }) => hard.test(question.slice(0, 20_000)) },
  {
    name: "images or documents",
    points: 1,
    found: ({ blocks }) => blocks.some(({ type }) => /image|document/.test(type))
  },
  { name: "an answer over 4,096 tokens", points: 1, found: ({ request }) => request.max_tokens > 4_096 },
  { name: "more than 20 messages", points: 1, found: ({ request }) => request.messages.length > 20 }
]

const complexFrom = 5

const blocksOf = (message: Message | undefined): ReadonlyArray<ContentBlock> =>
  message === undefined || typeof message.content === "string" ? [] : message.content

/**
 * Judges a request by adding the points of the signs above: no model is asked, and the same request always gets the same
 * answer. Costs the newest user message, not the history.
 */
export const complexityOf = (request: MessagesRequest): Complexity => {
  const newest = request.messages.findLast(({ role }) => role === "user")
  const blocks = blocksOf(newest)
  const texts = blocks.filter(isText).map(({ text }) => text)
  const question = typeof newest?.content === "string" ? newest.content : texts.join("\n")
  const found = signs.filter((sign) => sign.found({ request, question, blocks }))
  const points = found.reduce((sum, sign) => sum + sign.points, 0)
  return {
    task: points === 0 ? "simple" : points < complexFrom ? "main" : "complex",
    points,
    signs: found.map((sign) => `${sign.name} (+${sign.points})`)
  }
}
