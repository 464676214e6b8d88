import { Clock, Effect, Scope } from "effect"

/** Somebody who reads a stream. */
export interface Reader {
  /** Bytes were handed over, and not asked for more since; undefined while nothing lies there. */
  waitingSince: number | undefined
  readonly hangUp: () => void
}

export interface Readers {
  readonly add: (reader: Reader) => void
  readonly remove: (reader: Reader) => void
}

/** Who takes nothing for this long has gone without closing the door, or means harm: it holds a place that others wait for. */
const patienceMillis = 300_000
const lookEvery = "30 seconds"

/** Watches the readers of all streams, with one timer for all of them. */
export const makeReaders: Effect.Effect<Readers, never, Scope.Scope> = Effect.gen(function* () {
  const readers = new Set<Reader>()
  const look = Effect.map(Clock.currentTimeMillis, (now) => {
    for (const reader of readers) {
      if (reader.waitingSince !== undefined && now - reader.waitingSince > patienceMillis) reader.hangUp()
    }
  })
  yield* Effect.sleep(lookEvery).pipe(Effect.andThen(look), Effect.forever, Effect.forkScoped)
  return {
    add: (reader) => {
      readers.add(reader)
    },
    remove: (reader) => {
      readers.delete(reader)
    }
  }
})

/** The same pull, watched: between two pulls the reader has what it got and does not ask for more. */
export const watched = <A, E, R>(
  readers: Readers,
  pull: Effect.Effect<A, E, R>,
  hangUp: () => void
): Effect.Effect<Effect.Effect<A, E, R>, never, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) => {
    const reader: Reader = { waitingSince: undefined, hangUp }
    readers.add(reader)
    const gone = Effect.sync(() => readers.remove(reader))
    return Effect.as(
      Scope.addFinalizer(scope, gone),
      Effect.clockWith((clock) => {
        reader.waitingSince = undefined
        return Effect.map(pull, (bytes) => {
          reader.waitingSince = clock.currentTimeMillisUnsafe()
          return bytes
        })
      })
    )
  })
