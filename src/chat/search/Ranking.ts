import type { StoredMessage } from "../../domain/Conversation.ts"
import { isText } from "../../domain/Message.ts"
import { bestPassage, type Match, readable, type Wanted, type Weights } from "../excerpt.ts"
import type { Found } from "./SearchQuery.ts"

/** What a word tells that occurs in so many of all messages. */
export const weightOf = (messages: number, holding: number): number => Math.log(1 + messages / Math.max(1, holding))

const isProse = ({ content }: StoredMessage): boolean => typeof content === "string" || content.some(isText)

/** A long text holds any word; what people and models say tells more than what tools print, and the user most of all. */
const standing = (message: StoredMessage, chars: number): number => {
  const prose = isProse(message)
  const length = Math.log10(Math.min(1_000_000, Math.max(100, chars)) / 100)
  return 1 + (prose ? 0.2 : 0) + (prose && message.role === "user" ? 0.2 : 0) - 0.2 * length
}

export interface Ranked {
  readonly message: StoredMessage
  readonly match: Match
  readonly score: number
}

const rank =
  (wanted: Wanted, weights: Weights, chars: number) =>
  (message: StoredMessage): Ranked => {
    const text = readable(message.content)
    const match = bestPassage(text, wanted, chars, weights)
    return { message, match, score: match.near * standing(message, text.length) }
  }

const byRank = (a: Ranked, b: Ranked): number =>
  b.match.exact - a.match.exact || b.score - a.score || b.match.words - a.match.words || b.message.seq - a.message.seq

const answers = (match: Match, { terms }: Wanted): boolean => (terms.length > 0 ? match.words > 0 : match.exact > 0)

/** The messages that hold the query, each with how well it does. */
export const scored = (
  messages: ReadonlyArray<StoredMessage>,
  wanted: Wanted,
  weights: Weights,
  chars: number
): ReadonlyArray<Ranked> => messages.map(rank(wanted, weights, chars)).filter(({ match }) => answers(match, wanted))

/** The best of them, best first. */
export const best = (found: ReadonlyArray<Ranked>, limit: number): ReadonlyArray<Found> =>
  found
    .toSorted(byRank)
    .slice(0, limit)
    .map(({ match, message: { createdAt, role, seq } }) => ({ seq, role, createdAt, excerpt: match.excerpt }))

/** The messages that hold the query, best first: as it stands, then the most telling words close together. */
export const ranked = (
  messages: ReadonlyArray<StoredMessage>,
  wanted: Wanted,
  weights: Weights,
  { chars, limit }: { readonly limit: number; readonly chars: number }
): ReadonlyArray<Found> => best(scored(messages, wanted, weights, chars), limit)

/** How messages begin, for those who asked for no words. */
export const beginnings = (messages: ReadonlyArray<StoredMessage>, chars: number): ReadonlyArray<Found> =>
  messages.map(({ content, createdAt, role, seq }) => {
    const text = readable(content)
    return {
      seq,
      role,
      createdAt,
      excerpt: text.length > chars ? `${text.slice(0, chars).toWellFormed()}…` : text
    }
  })
