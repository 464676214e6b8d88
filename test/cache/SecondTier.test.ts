import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Fiber, Layer, Option } from "effect"
import { Persistence } from "effect/persistence"
import { TestClock } from "effect/testing"
import { ResponseCache } from "../../src/cache/ResponseCache.ts"
import { Database } from "../../src/chat/Database.ts"
import { Events } from "../../src/events/Events.ts"
import { Settings } from "../../src/Settings.ts"
import { answer } from "./requests.ts"

type Store = Persistence.BackingPersistenceStore

const services = Layer.merge(Settings.layerWith({ cacheTtlMinutes: 60, cacheMaxSizeMb: 1 }), Events.layerTest)

/** A process of its own over a given store. */
const inProcess = <A, E>(
  backing: Layer.Layer<Persistence.BackingPersistence>,
  use: (cache: ResponseCache["Service"]) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const cache = yield* ResponseCache
    const result = yield* use(cache)
    yield* Effect.yieldNow
    return result
  }).pipe(Effect.provide(ResponseCache.layerPersisted.pipe(Layer.provide([services, backing]))))

const shared = Effect.map(Effect.context<Persistence.BackingPersistence>(), (context) =>
  Layer.succeedContext(context)
).pipe(Effect.provide(Persistence.layerBackingMemory))

const broken = (store: Partial<Store>) =>
  Layer.succeed(Persistence.BackingPersistence, {
    make: () =>
      Effect.succeed({
        get: () => Effect.undefined,
        set: () => Effect.void,
        clear: Effect.void,
        remove: () => Effect.void,
        getMany: () => Effect.die("not used"),
        setMany: () => Effect.void,
        ...store
      })
  })

describe("the second tier", () => {
  it.effect("outlives the process, for the rest of the TTL", () =>
    Effect.gen(function* () {
      const backing = yield* shared
      yield* inProcess(backing, (cache) => cache.store("k", answer()))
      yield* TestClock.adjust("40 minutes")
      yield* inProcess(backing, (cache) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* cache.lookup("k"), Option.some(answer()))
          assert.deepInclude(yield* cache.stats, { entries: 1, hits: 1, misses: 0 })
          yield* TestClock.adjust("19 minutes")
          assert.isTrue(Option.isSome(yield* cache.lookup("k")))
          yield* TestClock.adjust("2 minutes")
          assert.isTrue(Option.isNone(yield* cache.lookup("k")))
        })
      )
    })
  )

  it.effect("holds only what the first one holds, and is cleared with it", () =>
    Effect.gen(function* () {
      const backing = yield* shared
      yield* inProcess(backing, (cache) =>
        Effect.gen(function* () {
          yield* cache.store("refused", answer({ stop_reason: "refusal" }))
          yield* cache.store("k", answer())
          yield* Effect.yieldNow
          yield* cache.clear
          assert.isTrue(Option.isNone(yield* cache.lookup("k")))
        })
      )
      yield* inProcess(backing, (cache) =>
        Effect.gen(function* () {
          for (const key of ["refused", "k"]) assert.isTrue(Option.isNone(yield* cache.lookup(key)))
        })
      )
    })
  )

  it.effect("that fails is a miss, and is left alone for a while", () =>
    Effect.gen(function* () {
      let asked = 0
      const failing = broken({
        get: () =>
          Effect.suspend(() => {
            asked++
            return Effect.fail(new Persistence.PersistenceError({ message: "down" }))
          }),
        set: () => Effect.die("down")
      })
      yield* inProcess(failing, (cache) =>
        Effect.gen(function* () {
          for (let i = 0; i < 10; i++) assert.isTrue(Option.isNone(yield* cache.lookup(`k${i}`)))
          assert.strictEqual(asked, 1)
          assert.isTrue(yield* cache.store("k", answer()))
          assert.isTrue(Option.isSome(yield* cache.lookup("k")))
          yield* TestClock.adjust("5 seconds")
          yield* cache.lookup("again")
          assert.strictEqual(asked, 2)
        })
      )
    })
  )

  it.effect("that does not answer holds a request up for a quarter of a second, once", () =>
    Effect.gen(function* () {
      yield* inProcess(broken({ get: () => Effect.never }), (cache) =>
        Effect.gen(function* () {
          const lookup = yield* Effect.forkChild(cache.lookup("k"))
          yield* TestClock.adjust("250 millis")
          assert.isTrue(Option.isNone(yield* Fiber.join(lookup)))
          assert.isTrue(Option.isNone(yield* cache.lookup("k")))
        })
      )
    })
  )

  it.effect("that holds something else is a miss", () =>
    Effect.gen(function* () {
      const foreign = broken({
        get: (key) => Effect.succeed(key === "a" ? { text: 1 } : { text: "{", expiresAt: 1e15 })
      })
      yield* inProcess(foreign, (cache) =>
        Effect.gen(function* () {
          for (const key of ["a", "b", "b"]) assert.isTrue(Option.isNone(yield* cache.lookup(key)))
        })
      )
    })
  )
})

const sql = Persistence.layerBackingSql.pipe(Layer.provide(Database.layerMemory))

layer(ResponseCache.layerPersisted.pipe(Layer.provideMerge(sql), Layer.provide(services)), { timeout: "60 seconds" })(
  "the second tier in PGlite",
  (it) => {
    it.effect("keeps an answer as it was", () =>
      Effect.gen(function* () {
        const cache = yield* ResponseCache
        const tricky = answer({ content: [{ type: "text", text: "nul \u0000, lone \ud800, ünïcødé 🎉" }] })
        yield* cache.store("k", tricky)
        const store = yield* (yield* Persistence.BackingPersistence).make("sluice_response_cache")
        const kept = yield* store.get("k").pipe(Effect.repeat({ until: (value) => value !== undefined }))
        assert.strictEqual((kept as { text: string }).text, JSON.stringify(tricky))
      })
    )
  }
)
