import { assert, type Vitest } from "@effect/vitest"
import { Effect } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { MessageSearch, type SearchQuery } from "../../src/chat/MessageSearch.ts"
import { calls, returns, said } from "./searchSuite.ts"

const total = 21_000
const batch = 1_000

/** Short messages, a thousand each second: many blocks of the index, filled in a few seconds. */
const messageAt = (seq: number) => {
  if (seq === 5_001) return said("user", "Everything about the Antikythera mechanism is needed.")
  if (seq === 5_500) return said("user", "everything said, needed tea")
  if (seq % 4_000 === 1_000) return calls(`c${seq}`, "Task", { description: `T${seq}: explorer` })
  if (seq % 4_000 === 1_001) return returns(`c${seq - 1}`, `needed: id: agent${seq}`)
  if (seq % 2_000 === 7) return calls(`c${seq}`, "Bash", { command: "make needed" })
  // Words of more messages than are ever looked up by themselves, which meet in every 255th and, all four, nowhere else.
  if (seq > 10_000 && seq < 19_000) {
    const words = [3, 5, 17, 2].flatMap((n, i) => (seq % n === 0 ? ["copper iron zinc tin".split(" ")[i]] : []))
    return said(seq % 2 === 0 ? "user" : "assistant", `needed lately ${words.join(" ")} n${seq}`)
  }
  return said(seq % 2 === 0 ? "user" : "assistant", `needed ${seq < 10_000 ? "formerly" : "lately"} n${seq}`)
}

const filled = Effect.gen(function* () {
  const repo = yield* ChatRepo
  const { id } = yield* repo.create({ id: "long" })
  for (let seq = 0; seq < total; seq += batch) {
    yield* TestClock.setTime(seq)
    yield* repo.append(
      id,
      Array.from({ length: batch }, (_, i) => messageAt(seq + i))
    )
  }
  return id
})

/** The same questions to a conversation that fills several blocks of the index. */
export const longSearchSuite = (it: Vitest.MethodsNonLive<ChatRepo | MessageSearch | SqlClient.SqlClient>): void => {
  it.effect("finds the same in a conversation of many blocks, whatever is frequent in it", () =>
    Effect.gen(function* () {
      const id = yield* filled
      const { search } = yield* MessageSearch
      const numbers = (asked: Partial<SearchQuery>) =>
        Effect.map(search(id, { limit: 3, chars: 100, ...asked }), ({ found, unsearched }) => {
          assert.strictEqual(unsearched, 0)
          return found.map(({ seq }) => seq)
        })
      assert.deepStrictEqual(yield* numbers({ words: "Antikythera mechanism" }), [5_001])
      assert.deepStrictEqual(yield* numbers({ words: "n17 n4095 n4096" }), [4_096, 4_095, 17])
      assert.deepStrictEqual(yield* numbers({ words: "lately" }), [20_998, 20_996, 20_994])
      assert.deepStrictEqual(yield* numbers({ words: "formerly needed" }), [9_998, 9_996, 9_994])
      assert.deepStrictEqual(
        yield* numbers({ words: "needed formerly", from: 4_094, to: 4_097 }),
        [4_096, 4_094, 4_097]
      )
      assert.deepStrictEqual(yield* numbers({ words: "needed tea" }), [5_500, 20_998, 20_996])
      assert.deepStrictEqual(
        yield* numbers({ words: "tin iron copper zinc", limit: 4 }),
        [18_870, 18_360, 17_850, 17_340]
      )
      assert.deepStrictEqual(yield* numbers({ words: "copper iron zinc lately n18615" }), [18_615, 18_870, 18_360])
      assert.deepStrictEqual(yield* numbers({ words: "needed", tool: "Bash" }), [20_007, 18_007, 16_007])
      assert.deepStrictEqual(yield* numbers({ words: "needed", agent: "T9000" }), [9_001])
      assert.deepStrictEqual(yield* numbers({ agent: "explorer", to: 12_999 }), [9_001, 9_000, 5_000])
      assert.deepStrictEqual(yield* numbers({ tool: "Bash", from: 4_000 }), [4_007, 6_007, 8_007])
      assert.deepStrictEqual(yield* numbers({ words: "needed", tool: "Bash", fromTime: 8_000, toTime: 8_000 }), [8_007])
      assert.deepStrictEqual(yield* numbers({ fromTime: 7_500, toTime: 11_000 }), [8_000, 8_001, 8_002])
      assert.deepStrictEqual(yield* numbers({ toTime: 4_000 }), [4_999, 4_998, 4_997])
      assert.deepStrictEqual(yield* numbers({ words: ":", toTime: 5_000 }), [5_001 - 1])
    })
  )

  it.effect("stays on the index where no statistics were made", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const plan = yield* sql<
        Record<string, string>
      >`EXPLAIN SELECT w.seq FROM unnest(${["'1.0:x'"]}::text[]::tsquery[]) AS q (query),
        LATERAL (SELECT seq FROM message_words w WHERE w.words @@ q.query AND w.seq >= 0 ORDER BY seq DESC LIMIT 9) AS w`
      assert.include(plan.flatMap((row) => Object.values(row)).join("\n"), "message_words_by_word")
    })
  )
}
