import { Clock, Effect } from "effect"
import type { Agent, Conversation, Segment, StoredMessage } from "../domain/Conversation.ts"
import { parseJson } from "../domain/Json.ts"
import type { Content } from "../domain/Message.ts"
import {
  type Encoded,
  type History,
  type HistoryBound,
  type IdentifiedConversation,
  type ListPage,
  type MessagesPage,
  unknownCursor
} from "./ChatInput.ts"
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

  private range(from: number, to: number): ReadonlyArray<StoredMessage> {
    return this.rows.slice(Math.max(0, from), Math.max(0, to)).map(({ json, ...row }) => ({
      ...row,
      // Written by `append` from a Content, after it was checked to be readable.
      content: parseJson(json) as Content
    }))
  }

  append(messages: ReadonlyArray<Encoded>, createdAt: number): ReadonlyArray<StoredMessage> {
    return messages.map(({ json, message: { content, role, tokens } }) => {
      const seq = this.rows.push({ seq: this.rows.length, role, json, tokens, createdAt }) - 1
      return { seq, role, content, tokens, createdAt }
    })
  }

  page({ after, before, limit }: MessagesPage): ReadonlyArray<StoredMessage> {
    const start = (after ?? -1) + 1
    const end = Math.min(before ?? this.rows.length, this.rows.length)
    return after !== undefined && before === undefined
      ? this.range(start, start + limit)
      : this.range(Math.max(start, end - limit), end)
  }

  history(bound: HistoryBound): History {
    const from = this.fitting(bound)
    const messages = this.range(from, this.rows.length)
    return { messages, segments: this.segmentsBefore(messages[0]?.seq ?? Number.POSITIVE_INFINITY) }
  }

  /** The number of the oldest message of those that fit. */
  private fitting({ limit, maxTokens }: HistoryBound): number {
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

  saveSegments(segments: ReadonlyArray<Segment>): void {
    for (const segment of segments) if (!this.segments.has(segment.hash)) this.segments.set(segment.hash, segment)
  }

  saveAgents(agents: ReadonlyArray<Agent>): void {
    this.agents = newestByName([...this.agents, ...agents])
  }
}

const compare = <T extends ReadonlyArray<number | string>>(a: T, b: T): number => {
  for (const [i, x] of a.entries()) {
    const y = b[i]
    if (y !== undefined && x !== y) return x < y ? -1 : 1
  }
  return 0
}

const listOf = Effect.fnUntraced(function* (rooms: ReadonlyMap<string, Room>, { before, limit, tenant }: ListPage) {
  const cursor = before === undefined ? undefined : rooms.get(before)
  if (before !== undefined && cursor === undefined) return yield* unknownCursor(before)
  return Array.from(rooms.values())
    .filter(({ key }) => key < (cursor?.key ?? rooms.size))
    .filter(({ conversation }) => tenant === undefined || tenant === conversation.tenant)
    .reverse()
    .slice(0, limit)
    .map((room) => room.view())
})

/** In this process, for as long as the layer lives: nothing is bounded and nothing survives. For specs. */
export const make: Effect.Effect<ChatStore> = Effect.sync(() => {
  const rooms = new Map<string, Room>()
  const within = <A>(id: string, f: (room: Room, now: number) => A) =>
    Effect.flatMap(Clock.currentTimeMillis, (now) => {
      const room = rooms.get(id)
      return room === undefined
        ? Effect.fail(new ConversationNotFound({ conversation: id }))
        : Effect.sync(() => f(room, now))
    })
  return {
    create: (conversation) =>
      Effect.map(Clock.currentTimeMillis, (now) => {
        const room = rooms.get(conversation.id) ?? new Room(rooms.size, conversation, now)
        rooms.set(conversation.id, room)
        return room.view()
      }),
    get: (id) => within(id, (room) => room.view()),
    list: (page) => listOf(rooms, page),
    append: (id, messages) => within(id, (room, now) => room.append(messages, now)),
    messages: (id, page) => within(id, (room) => room.page(page)),
    history: (id, bound) => within(id, (room) => room.history(bound)),
    segments: (id, hashes) =>
      within(id, (room) =>
        room
          .segmentsBefore(Number.POSITIVE_INFINITY)
          .filter(({ hash }) => hashes === undefined || hashes.includes(hash))
      ),
    saveSegments: (id, segments) => within(id, (room) => room.saveSegments(segments)),
    agents: (id) => within(id, (room) => room.agents),
    saveAgents: (id, agents) => within(id, (room) => room.saveAgents(agents)),
    layout: (id) => within(id, (room) => room.layout),
    saveLayout: (id, layout) =>
      within(id, (room) => {
        room.layout = layout
      })
  }
})
