import { existsSync, readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { fromUsd } from "../../src/domain/Money.ts"
import { fromApi } from "../../src/domain/Usage.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"

const file = new URL("../../../shared/data/conversations/pi-mono__large-session.jsonl", import.meta.url)

it.effect.skipIf(!existsSync(file))("a transcript's logged dollars are reproduced call by call", () =>
  Effect.gen(function* () {
    const { get, price } = yield* ModelCatalog
    const lines = readFileSync(file, "utf8").trimEnd().split("\n")
    const calls = lines.map((line) => JSON.parse(line)).filter(({ costUsd }) => costUsd !== undefined)
    assert.isAbove(calls.length, 400)
    for (const { model, usage, costUsd } of calls) {
      assert.strictEqual(price(get(model), fromApi(usage)), fromUsd(costUsd))
    }
  }).pipe(Effect.provide(ModelCatalog.layerDefault))
)
