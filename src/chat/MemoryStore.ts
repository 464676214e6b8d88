import { Clock, Effect } from "effect"
import type { Agent, Conversation, Segment, StoredMessage } from "../domain/Conversation.ts"
import type { Content } from "../domain/Message.ts"
import { type IdentifiedConversation, unknownCursor } from "./ChatInput.ts"
import { ConversationNotFound } from "./ChatRepoError.ts"
import type { ChatStore } from "./ChatStore.ts"
import { newestByName } from "./Merge.ts"

interface StoredRow extends Omit<StoredMessage, "content"> {
  readonly json: string
}

/** Everything of one conversation. Contents are kept as JSON text, so that nobody's later change reaches them. */
class Room {
  readonly key: number
  readonly conversation: Omit<Conversation, "messages">
  readonly rows: Array<StoredRow> = []
  readonly segments = new Map<string, Segment>()
  agents: ReadonlyArray<Agent> = []
  layout: string | null = null

  constructor(key: number, { id, model, tenant, title }: IdentifiedConversation, createdAt: number) {
    this.key = key
    this.conversation = { id, tenant, title: title ?? null, model: model ?? null, createdAt }
  }

  view(): Conversation {
    return { ...this.conversation, messages: this.rows.length }
  }

  range(from: number, to: number): ReadonlyArray<StoredMessage> {
    return this.rows.slice(Math.max(0, from), Math.max(0, to)).map(({ json, ...row }) => ({
      ...row,
      // Written by `append` from a Content, after it was checked to be readable.
      content: JSON.parse(json) as Content
    }))
  }

  /** The number of the oldest message of those that fit. */
  fitting(maxTokens: number, limit: number): number {
    let tokens = 0
    let from = this.rows.length
    while (from > 0 && this.rows.length - from < limit) {
      tokens += this.rows[from - 1]?.tokens ?? 0
      if (tokens > maxTokens) return from
      from -= 1
    }
    return from
  }

  segmentsBefore(seq: number): ReadonlyArray<Segment> {
    const order = (s: Segment) => [s.from, s.detail, s.hash] as const
    return Array.from(this.segments.values())
      .filter((segment) => segment.from < seq)
      .sort((a, b) => compare(order(a), order(b)))
  }
}

const compare = <T extends ReadonlyArray<number | string>>(a: T, b: T): number => {
  for (const [i, x] of a.entries()) {
    const y = b[i]
    if (y !== undefined && x !== y) return x < y ? -1 : 1
  }
  return 0
}

/** In this process, for as long as the layer lives: nothing is bounded and nothing survives. For specs. */
export const make: Effect.Effect<ChatStore> = Effect.sync(() => {
  const rooms = new Map<string, Room>()
  const find = (id: string) =>
    Effect.suspend(() => {
      const room = rooms.get(id)
      return room === undefined ? Effect.fail(new ConversationNotFound({ conversation: id })) : Effect.succeed(room)
    })
  const within =
    <A>(f: (room: Room, now: number) => A) =>
    (id: string) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.map(find(id), (room) => f(room, now)))
  return {
    create: (conversation) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const room = rooms.get(conversation.id) ?? new Room(rooms.size, conversation, now)
        rooms.set(conversation.id, room)
        return room.view()
      }),
    get: within((room) => room.view()),
    list: Effect.fnUntraced(function* ({ before, limit, tenant }) {
      const cursor = before === undefined ? undefined : rooms.get(before)
      if (before !== undefined && cursor === undefined) return yield* unknownCursor(before)
      return Array.from(rooms.values())
        .filter(
          (room) =>
            room.key < (cursor?.key ?? rooms.size) && (tenant ?? room.conversation.tenant) === room.conversation.tenant
        )
        .reverse()
        .slice(0, limit)
        .map((room) => room.view())
    }),
    append: (id, messages) =>
      within((room, createdAt) =>
        messages.map(({ json, message: { content, role, tokens } }) => {
          const seq = room.rows.push({ seq: room.rows.length, role, json, tokens, createdAt }) - 1
          return { seq, role, content, tokens, createdAt }
        })
      )(id),
    messages: (id, { after, before, limit }) =>
      within((room) => {
        const start = (after ?? -1) + 1
        const end = Math.min(before ?? room.rows.length, room.rows.length)
        return after !== undefined && before === undefined
          ? room.range(start, start + limit)
          : room.range(Math.max(start, end - limit), end)
      })(id),
    history: (id, { limit, maxTokens }) =>
      within((room) => {
        const from = room.fitting(maxTokens, limit)
        return {
          messages: room.range(from, room.rows.length),
          segments: room.segmentsBefore(from === room.rows.length ? Number.POSITIVE_INFINITY : from)
        }
      })(id),
    segments: within((room) => room.segmentsBefore(Number.POSITIVE_INFINITY)),
    saveSegments: (id, segments) =>
      within((room) => {
        for (const segment of segments) if (!room.segments.has(segment.hash)) room.segments.set(segment.hash, segment)
      })(id),
    agents: within((room) => room.agents),
    saveAgents: (id, agents) =>
      within((room) => {
        room.agents = newestByName([...room.agents, ...agents])
      })(id),
    layout: within((room) => room.layout),
    saveLayout: (id, layout) =>
      within((room) => {
        room.layout = layout
      })(id)
  }
})
