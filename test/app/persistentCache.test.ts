import { assert, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { layerServices } from "../../src/App.ts"
import { Database } from "../../src/chat/Database.ts"
import { Claude } from "../../src/claude/Claude.ts"
import { defaultCaller } from "../../src/domain/Caller.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { Governor } from "../../src/governor/Governor.ts"
import { Settings } from "../../src/Settings.ts"
import { Simulator } from "../../src/testing/simulator/Simulator.ts"
import { temporaryDirectory } from "../support/directory.ts"

const request: MessagesRequest = {
  model: "claude-sonnet-5-5",
  max_tokens: 50,
  messages: [{ role: "user", content: "Is it kept?" }]
}

const rows = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [found] = yield* sql<{ readonly name: string | null }>`SELECT to_regclass('effect_persistence')::text AS name`
  if (found?.name == null) return 0
  return (yield* sql`SELECT id FROM effect_persistence`).length
})

/** Asks in a process of its own, over the one database. */
const ask = Effect.fnUntraced(function* (responseCachePersistent: boolean) {
  const dataDir = yield* temporaryDirectory
  const upstream = Claude.layerSimulatedNoDeps.pipe(Layer.provideMerge(Simulator.layerWith({})))
  const everything = layerServices.pipe(
    Layer.provideMerge(upstream),
    Layer.provideMerge(Settings.layerWith({ dataDir, responseCachePersistent }))
  )
  return yield* Effect.gen(function* () {
    const known = yield* rows
    const { settlement } = yield* Governor.use((governor) => governor.run(request, defaultCaller))
    while (responseCachePersistent && (yield* rows) === 0) yield* Effect.sleep("5 millis")
    return { known, cache: settlement.cache }
  }).pipe(Effect.provide(everything))
}, Effect.scoped)

layer(Database.layerMemory, { excludeTestServices: true })("RESPONSE_CACHE_PERSISTENT", (it) => {
  it.effect("off, an answer goes with the process; on, the next process has it", () =>
    Effect.gen(function* () {
      const asked = [yield* ask(false), yield* ask(false), yield* ask(true), yield* ask(true)]
      assert.deepStrictEqual(asked, [
        { known: 0, cache: "miss" },
        { known: 0, cache: "miss" },
        { known: 0, cache: "miss" },
        { known: 1, cache: "hit" }
      ])
    })
  )
})
