import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Chronicle, mostCharts } from "../../src/cli/replay/html/Chronicle.ts"
import { htmlReport } from "../../src/cli/replay/html/htmlReport.ts"
import type { ChartData } from "../../src/cli/replay/html/page/data.ts"
import type { Played } from "../../src/cli/replay/play.ts"
import { type Recorder, replay } from "../../src/cli/replay/run.ts"
import { noTotals } from "../../src/cli/replay/Totals.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { folderOf, logOf, under } from "./logs.ts"

const played = (raw: number, compaction = false): Played => ({
  prompt: {
    tokens: 1_000,
    shared: 0,
    sharedLong: 0,
    beyond: 0,
    bands: { old: 100, mid: 200 },
    long: 0,
    longLived: false,
    compaction
  },
  raw,
  usage: { input: 0, cacheWrite5m: 400, cacheWrite1h: 0, cacheRead: 600, output: 0 },
  inputNanoUsd: 600 * 100 + 400 * 2_500,
  miss: undefined
})

const chronicleOf = (model = "claude-sonnet-5-5") =>
  ModelCatalog.pipe(
    Effect.map((catalog) => new Chronicle(catalog.get(model))),
    Effect.provide(ModelCatalog.layerDefault)
  )

const sum = (values: ReadonlyArray<number>): number => values.reduce((a, b) => a + b, 0)

describe("what is written down for pictures", () => {
  it.effect("is a number a request: sizes by band, dollars by kind in millionths, compactions", () =>
    Effect.gen(function* () {
      const chronicle = yield* chronicleOf()
      const record = chronicle.record("/home/me/logs/a.jsonl", "sluice")
      for (const raw of [1_000, 2_000, 3_000]) record(played(raw, raw === 2_000))
      assert.deepStrictEqual(chronicle.charts(), [
        {
          name: "a.jsonl",
          requests: 3,
          every: 1,
          raw: [1_000, 2_000, 3_000],
          policies: {
            sluice: {
              old: [100, 100, 100],
              mid: [200, 200, 200],
              recent: [700, 700, 700],
              read: [60, 60, 60],
              write5m: [1_000, 1_000, 1_000],
              write1h: [0, 0, 0],
              plain: [0, 0, 0],
              compactions: [1]
            }
          }
        }
      ])
    })
  )

  it.effect("stays small for a long conversation, and its dollars still add up", () =>
    Effect.gen(function* () {
      const chronicle = yield* chronicleOf()
      const record = chronicle.record("long", "sluice")
      for (let raw = 1; raw <= 10_001; raw++) record(played(raw, raw === 10_001))
      const [chart] = chronicle.charts()
      const series = chart?.policies.sluice
      assert.isAtMost(series?.read.length ?? 0, 500)
      assert.strictEqual(sum(series?.read ?? []), 10_001 * 60)
      assert.strictEqual(chart?.raw.at(-1), 10_001)
      assert.deepStrictEqual(series?.compactions, [(series?.read.length ?? 0) - 1])
    })
  )

  it.effect("keeps the conversations with the most tokens", () =>
    Effect.gen(function* () {
      const chronicle = yield* chronicleOf()
      for (let n = 0; n < 3 * mostCharts; n++) chronicle.record(`c${n}`, "sluice")(played(n % 2 === 0 ? n : 1_000 + n))
      const kept = chronicle.charts().map(({ name }) => name)
      assert.strictEqual(kept.length, mostCharts)
      assert.strictEqual(kept[0], `c${3 * mostCharts - 1}`)
      assert.isTrue(kept.every((name) => Number(name.slice(1)) % 2 === 1))
    })
  )

  it.effect("leaves out a policy that could not play to the end", () =>
    Effect.gen(function* () {
      const chronicle = yield* chronicleOf()
      const none = chronicle.record("c", "none")
      for (const raw of [1, 2, 3]) none(played(raw))
      chronicle.record("c", "sluice")(played(1))
      assert.deepStrictEqual(Object.keys(chronicle.charts()[0]?.policies ?? {}), ["none"])
    })
  )

  it.effect("prices a prompt in the model's long-context tier as a whole", () =>
    Effect.gen(function* () {
      const chronicle = yield* chronicleOf("claude-haiku-5-5")
      const usage = { input: 0, cacheWrite5m: 100_001, cacheWrite1h: 0, cacheRead: 0, output: 0 }
      chronicle.record("c", "none")({ ...played(1), usage })
      assert.deepStrictEqual(chronicle.charts()[0]?.policies.none?.write5m, [Math.round((100_001 * 625) / 1_000)])
    })
  )
})

const name = 'a"><img src=x onerror=alert(1)> & <!--b.jsonl'

describe("the report", () => {
  it.effect("is one file that may load nothing, and escapes the names of files", () =>
    Effect.gen(function* () {
      const folder = yield* folderOf({ [name]: logOf(1, 20) })
      const chronicle = yield* chronicleOf()
      const record: Recorder = (transcript, policy) => chronicle.record(transcript.name, policy)
      const html = yield* replay({
        paths: [folder],
        policies: "all",
        model: undefined,
        prefixTokens: 0,
        onFile: () => Effect.void,
        record
      }).pipe(
        Effect.flatMap((result) => htmlReport(result, chronicle.charts(), 0)),
        under()
      )
      assert.include(html, "default-src &#39;none&#39;")
      assert.notMatch(html, /<(?:link|img|iframe|object|embed|form|base|script [^>]*src)\b|@import|url\(/)
      assert.notInclude(html, folder)
      const data = /<script type="application\/json" id="data">(.*)<\/script>/.exec(html)?.[1] ?? ""
      assert.notInclude(data, "<")
      const read: ChartData = JSON.parse(data)
      assert.strictEqual(read.charts[0]?.name, name)
      assert.containsAllKeys(read.charts[0]?.policies, ["none", "window", "seed", "sluice", "sluice-tokens"])
    }).pipe(Effect.scoped)
  )

  it.effect("a name cannot end its script element", () =>
    Effect.gen(function* () {
      const chart = { name: "</script><script>alert(1)", requests: 0, every: 1, raw: [], policies: {} }
      const policies = { sluice: noTotals }
      const conversations = [{ conversation: "b</script>\\<script>", messages: 0, policies }]
      const result = { model: "m", policies, conversations, skippedLines: [] }
      const html = yield* htmlReport(result, [chart], 0).pipe(under())
      assert.strictEqual(html.match(/<script/g)?.length, html.match(/<\/script>/g)?.length)
      assert.notInclude(html, "<script>alert")
    })
  )

  it.effect("without any request it has no pictures and needs no script", () =>
    Effect.gen(function* () {
      const html = yield* htmlReport({ model: "m", policies: {}, conversations: [], skippedLines: [] }, [], 0).pipe(
        under()
      )
      assert.include(html, "script-src &#39;none&#39;")
      assert.notInclude(html, "<select")
    })
  )
})
