import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Branches, maxBytes } from "../../src/context/Branches.ts"
import { ConversationContext } from "../../src/context/ConversationContext.ts"
import { Summarizer } from "../../src/context/Summarizer.ts"
import { settingsOptions } from "../../src/context/settingsOptions.ts"
import type { Message } from "../../src/domain/Message.ts"
import { ModelCatalog } from "../../src/models/ModelCatalog.ts"
import { Settings } from "../../src/Settings.ts"
import { TokenEstimator } from "../../src/tokens/TokenEstimator.ts"
import { plainEstimator } from "../support/estimator.ts"

const makeBranches = Effect.gen(function* () {
  const options = {
    conversation: "c",
    estimator: yield* TokenEstimator,
    summarizer: yield* Summarizer,
    catalog: yield* ModelCatalog,
    ...settingsOptions(yield* Settings),
    maxTokens: 12_000
  }
  return new Branches(() => new ConversationContext(options))
}).pipe(
  Effect.provide(Summarizer.layer),
  Effect.provide(ModelCatalog.layerDefault),
  Effect.provideService(TokenEstimator, plainEstimator()),
  Effect.provide(Settings.layerWith({}))
)

const owner = { tenant: "t", agent: "a", owner: "o" }
const said = (n: number, chars: number): Message => ({
  role: n % 2 === 0 ? "user" : "assistant",
  content: `${n} ${"x".repeat(chars)}`
})

describe("conversations of clients that send their whole history", () => {
  it.effect("are found again by their prefix, and fork where they part", () =>
    Effect.gen(function* () {
      const branches = yield* makeBranches
      const history = Array.from({ length: 5 }, (_, n) => said(n, 10))
      const first = branches.seat(owner, history.slice(0, 3))
      assert.strictEqual(branches.seat(owner, structuredClone(history)), first)
      assert.notStrictEqual(branches.seat(owner, [...history.slice(0, 3), said(7, 5)]), first)
      assert.notStrictEqual(branches.seat({ ...owner, tenant: "u" }, history), first)
    })
  )

  it.effect("are weighed as they grow, and the least recently used are forgotten", () =>
    Effect.gen(function* () {
      const branches = yield* makeBranches
      const megabyte = 512 * 1024
      const history: Array<Message> = []
      for (let n = 0; n < 20; n++) {
        history.push(said(n, megabyte))
        branches.seat(owner, history)
        assert.isAtLeast(branches.bytes, (n + 1) * 2 * megabyte)
      }
      const other = branches.seat({ ...owner, agent: "b" }, [said(0, megabyte)])
      for (let n = 0; n < 130; n++) branches.seat({ ...owner, agent: `c${n}` }, [said(0, megabyte)])
      assert.isAtMost(branches.bytes, maxBytes)
      assert.notStrictEqual(branches.seat({ ...owner, agent: "b" }, [said(0, megabyte)]), other)
    })
  )

  it.effect("are weighed with what was condensed, of each of their branches", () =>
    Effect.gen(function* () {
      const branches = yield* makeBranches
      const history = Array.from({ length: 30 }, (_, n) => said(n, 4_000))
      const shell = { model: "claude-sonnet-5-5" }
      for (let fork = 0; fork < 8; fork++) {
        const all = [...history, said(30 + 2 * fork, 10)]
        const branch = branches.seat(owner, all)
        branch.context.append(
          all.map((message, seq) => ({ ...message, seq, tokens: 0, createdAt: 0 })),
          shell.model
        )
        yield* branch.context.prepare(shell)
      }
      const before = branches.bytes
      branches.seat({ ...owner, agent: "b" }, history.slice(0, 1))
      branches.seat(owner, [...history, said(30, 10)])
      assert.isAbove(branches.bytes - before, 8 * 8 * 1_000)
    })
  )

  it.effect("are shown by their name to those they belong to, as long as they are known", () =>
    Effect.gen(function* () {
      const branches = yield* makeBranches
      const mine = branches.seat(owner, [said(0, 10)])
      const forked = branches.seat(owner, [said(0, 10), said(1, 10)])
      branches.seat(owner, [said(0, 10), said(3, 10)])
      const shown = (tenant: string | null, of: string | null) => branches.known(mine.id, { tenant, owner: of })
      assert.strictEqual(forked.id, mine.id)
      assert.deepStrictEqual(
        shown("t", "o").map(({ messages }) => messages.length),
        [2, 2]
      )
      for (const reader of [shown(null, null), shown("t", null), shown(null, "o")]) assert.lengthOf(reader, 2)
      for (const reader of [shown("u", "o"), shown("t", "p"), shown(null, "p"), shown("u", null)]) {
        assert.lengthOf(reader, 0)
      }
      for (let n = 0; n < 130; n++) branches.seat({ ...owner, agent: `c${n}` }, [said(0, 512 * 1024)])
      assert.lengthOf(shown(null, null), 0)
    })
  )
})
