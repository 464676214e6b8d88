import { Clock, Context, Effect, Layer, type Scope, Stream } from "effect"
import { Events, type Sequenced } from "../../events/Events.ts"
import { visible } from "./visible.ts"

/** One message of the live feed, as it is sent. */
export interface Frame {
  /** The event's number; the newest one for a heartbeat or a gap. */
  readonly seq: number
  readonly json: string
}

/** Where frames go. Neither ever waits. */
export interface Sink {
  /** False: it cannot keep up, and gets nothing more. */
  readonly take: (frames: ReadonlyArray<Frame>) => Effect.Effect<boolean>
  /** The server shuts down. */
  readonly end: Effect.Effect<void>
}

export interface Wish {
  /** Events after this number first, then what happens; without it only what happens. */
  readonly since: number | undefined
  /** Only what this tenant may see; null: everything. */
  readonly tenant: string | null
  readonly sink: Sink
}

interface Member {
  readonly tenant: string | null
  readonly sink: Sink
  /** The newest event it has been given. */
  last: number
  /** What happens until it has been given what it asked for from before. */
  early: Array<Frame> | undefined
}

const heartbeatEvery = "15 seconds"
/** Members served between two pauses in which requests go on. */
const atOnce = 32
/** For each millisecond of sending, so many for the service. */
const rest = 4

const frameOf = ({ at, event, seq }: Sequenced): Frame => ({ seq, json: JSON.stringify({ seq, at, event }) })
const heartbeat = (seq: number): Frame => ({ seq, json: JSON.stringify({ type: "heartbeat", seq }) })
const gap = (seq: number): Frame => ({ seq, json: JSON.stringify({ type: "gap" }) })

const replay = (kept: ReadonlyArray<Sequenced>, { since, tenant }: Wish): ReadonlyArray<Frame> => {
  const last = kept.at(-1)?.seq ?? 0
  if (since === undefined) return [heartbeat(last)]
  const after = since > last ? 0 : since
  const missed = kept.filter(({ seq }) => seq > after)
  const reaches = after === since && (missed.length === 0 || missed[0]?.seq === since + 1)
  const frames = missed.filter(({ event }) => visible(event, tenant)).map(frameOf)
  return [...(reaches ? [] : [gap(after)]), ...frames, heartbeat(last)]
}

/**
 * The events as messages to many: each is written down once and handed to everybody. It listens for all of them with one
 * listener, so that their number and their speed cost the publisher nothing, and leaves most of the time to the service.
 */
export class Feed extends Context.Service<
  Feed,
  {
    /** Hands frames to the sink until the scope closes. The first ones are given before this returns. */
    readonly join: (wish: Wish) => Effect.Effect<void, never, Scope.Scope>
    readonly members: Effect.Effect<number>
    /** Says goodbye to everybody, also to whoever comes later. */
    readonly close: Effect.Effect<void>
  }
>()("sluice/http/Feed") {
  static readonly layer = Layer.effect(
    this,
    Effect.gen(function* () {
      const events = yield* Events
      const members = new Set<Member>()
      let last = 0
      let closed = false

      const give = (member: Member, frames: ReadonlyArray<Frame>): Effect.Effect<void> => {
        if (frames.length === 0) return Effect.void
        if (member.early !== undefined) return Effect.sync(() => void member.early?.push(...frames))
        return Effect.map(member.sink.take(frames), (taken) => {
          if (!taken) members.delete(member)
        })
      }

      const toAll = Effect.fnUntraced(function* (framesFor: (member: Member) => ReadonlyArray<Frame>) {
        const begun = yield* monotonicMillis
        let served = 0
        for (const member of members) {
          yield* give(member, framesFor(member))
          served += 1
          if (served % atOnce === 0) yield* Effect.yieldNow
        }
        const took = (yield* monotonicMillis) - begun
        if (took >= 1) yield* Effect.sleep(took * rest)
      })

      const broadcast = (batch: ReadonlyArray<Sequenced>) =>
        Effect.suspend(() => {
          const lost = last > 0 && (batch[0]?.seq ?? 0) > last + 1
          last = batch.at(-1)?.seq ?? last
          if (members.size === 0) return Effect.void
          const frames = batch.map((entry) => ({ entry, frame: frameOf(entry) }))
          return toAll((member) => {
            const news = frames.filter(
              ({ entry: { seq, event } }) => seq > member.last && visible(event, member.tenant)
            )
            const before = lost && member.last < (batch[0]?.seq ?? 0) - 1 ? [gap(member.last)] : []
            member.last = Math.max(member.last, last)
            return [...before, ...news.map(({ frame }) => frame)]
          })
        })

      const join = Effect.fnUntraced(function* (wish: Wish) {
        const { sink, tenant } = wish
        if (closed) return yield* sink.end
        const early: Array<Frame> = []
        const member: Member = { tenant, sink, last: 0, early }
        yield* Effect.acquireRelease(
          Effect.sync(() => members.add(member)),
          () => Effect.sync(() => members.delete(member))
        )
        const kept = yield* events.recent
        const newest = kept.at(-1)?.seq ?? 0
        member.early = undefined
        member.last = Math.max(member.last, newest)
        yield* give(member, [...replay(kept, wish), ...early.filter(({ seq }) => seq > newest)])
      })

      // While nobody listens, nobody has to be woken.
      const live = yield* events.listenFor(() => members.size > 0)
      yield* Effect.forkScoped(Stream.runForEachArray(live, broadcast))
      const beat = Effect.suspend(() => toAll((member) => [heartbeat(Math.max(last, member.last))]))
      yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep(heartbeatEvery), beat)))
      const close = Effect.suspend(() => {
        closed = true
        return Effect.forEach([...members], ({ sink }) => sink.end, { discard: true })
      })
      return Feed.of({ join, members: Effect.sync(() => members.size), close })
    })
  )
}

const monotonicMillis = Clock.clockWith((clock) => Effect.sync(() => Number(clock.monotonicTimeNanosUnsafe()) / 1e6))
