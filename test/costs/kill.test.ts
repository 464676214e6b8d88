import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execPath } from "node:process"
import { afterAll, assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SqlClient } from "effect/sql"
import { Database } from "../../src/chat/Database.ts"
import { CostTracker } from "../../src/costs/CostTracker.ts"
import { Events } from "../../src/events/Events.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"

const kills = 5
const reservation = 20_000_000

const moments = ["before it is billed", "before it is answered", "while the answer travels", "once it arrived"] as const

/** An upstream that answers how many output tokens it billed, and writes that down first. Now and then it bills nothing. */
const makeUpstream = async () => {
  const bill = new Map<string, number>()
  const target = { calls: 0, moment: "", strike: () => {} }
  let calls = 0
  const server = createServer((request, response) => {
    const at = (moment: (typeof moments)[number]) => {
      if (target.calls === 0 && target.moment === moment) target.strike()
    }
    calls++
    target.calls--
    at("before it is billed")
    const tokens = calls % 7 === 0 ? 0 : 1 + (calls % 1000)
    if (tokens > 0) bill.set((request.url ?? "/").slice(1), tokens * 10_000)
    at("before it is answered")
    response.end(String(tokens), () => at("once it arrived"))
    at("while the answer travels")
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return { bill, port, target, server }
}

const rows = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  return yield* sql<{ readonly id: string; readonly status: string; readonly cost: number }>`
    SELECT request_id AS id, status, cost::float8 AS cost FROM ledger`
})

describe("kill -9", () => {
  const directory = mkdtempSync(join(tmpdir(), "sluice-kill-"))
  let child: ChildProcess | undefined
  afterAll(() => {
    child?.kill("SIGKILL")
    rmSync(directory, { recursive: true, force: true })
  })

  it("at any moment: every billed request is in the ledger, at its price or at its reservation, once", {
    timeout: 120_000
  }, async () => {
    const upstream = await makeUpstream()
    for (let kill = 0; kill < kills; kill++) {
      const script = new URL("killed.ts", import.meta.url).pathname
      const process = spawn(execPath, [script, directory, String(upstream.port)], { stdio: "ignore" })
      child = process
      const died = once(process, "exit")
      const strike = () => process.kill("SIGKILL")
      Object.assign(upstream.target, { calls: 20 + kill * 61, moment: moments[kill % moments.length], strike })
      const [, signal] = await died
      assert.strictEqual(signal, "SIGKILL")
    }
    upstream.server.close()

    const database = Database.layerEmbedded(join(directory, "db"))
    const tracker = CostTracker.layer.pipe(
      Layer.provide([Events.layer, ModelCatalog.layerDefault, Settings.layerWith({ dataDir: directory })]),
      Layer.provideMerge(database)
    )
    const booked = await Effect.runPromise(
      Effect.andThen(CostTracker, rows).pipe(Effect.provide(tracker), Effect.scoped)
    )
    const ledger = new Map(booked.map((row) => [row.id, row]))
    assert.strictEqual(ledger.size, booked.length)
    assert.isAbove(upstream.bill.size, 50)
    for (const [id, cost] of upstream.bill) {
      const row = ledger.get(id)
      assert.isDefined(row, `${id} was billed and is not in the ledger`)
      assert.strictEqual(row?.cost, row?.status === "settled" ? cost : reservation)
    }
    for (const row of booked) {
      if (!upstream.bill.has(row.id)) assert.strictEqual(row.status, "unsettled")
    }
    const unsettled = booked.filter((row) => row.status === "unsettled")
    assert.isAtMost(unsettled.length, kills * 8)
  })
})
