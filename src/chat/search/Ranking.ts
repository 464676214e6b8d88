import type { StoredMessage } from "../../domain/Conversation.ts"
import { bestPassage, type Match, readable, type Wanted, type Weights } from "../excerpt.ts"
import type { Found } from "./SearchQuery.ts"

/** What a word tells that occurs in so many of all messages. */
export const weightOf = (messages: number, holding: number): number => Math.log(1 + messages / Math.max(1, holding))

const better = (a: Match, b: Match): number => b.exact - a.exact || b.near - a.near || b.words - a.words

const answers = (match: Match, { terms }: Wanted): boolean => (terms.length > 0 ? match.words > 0 : match.exact > 0)

/** The messages that hold the query, best first: as it stands, then the most telling words together; among equals the newest. */
export const ranked = (
  messages: ReadonlyArray<StoredMessage>,
  wanted: Wanted,
  weights: Weights,
  { chars, limit }: { readonly limit: number; readonly chars: number }
): ReadonlyArray<Found> =>
  messages
    .map((message) => ({ message, match: bestPassage(readable(message.content), wanted, chars, weights) }))
    .filter(({ match }) => answers(match, wanted))
    .sort((a, b) => better(a.match, b.match) || b.message.seq - a.message.seq)
    .slice(0, limit)
    .map(({ match, message: { createdAt, role, seq } }) => ({ seq, role, createdAt, excerpt: match.excerpt }))

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
