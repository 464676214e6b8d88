import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { type NewToken, Tokens } from "../../src/access/Tokens.ts"
import type { SendOptions } from "../../src/orchestrator/Orchestrator.ts"
import { call, server } from "./fakes.ts"

type Asked = Pick<SendOptions, "agent" | "priority">

/** How the turn is asked for that the holder of this token sends. */
const turnOf = Effect.fnUntraced(function* (granted: Omit<NewToken, "name">, asked: Asked) {
  const turns: Array<SendOptions> = []
  yield* Effect.gen(function* () {
    const { token } = yield* (yield* Tokens).add({ name: "acme", ...granted })
    const sent = { body: { content: "hi", ...asked }, headers: { "x-api-key": Redacted.value(token) } }
    assert.strictEqual((yield* call("POST", "/api/conversations/c3/messages", sent)).status, 200)
  }).pipe(Effect.provide(server({ onSend: (options) => turns.push(options) })))
  return [turns[0]?.agent, turns[0]?.priority]
})

describe("what a token grants holds for turns", () => {
  for (const [granted, asked, expected] of [
    [{ priority: "background" }, { priority: "interactive" }, [undefined, "background"]],
    [{ priority: "normal" }, { priority: "background" }, [undefined, "background"]],
    [{ priority: "normal" }, {}, [undefined, "normal"]],
    [{ agent: "crawler" }, {}, ["crawler", "interactive"]],
    [{ agent: "crawler" }, { agent: "me" }, ["me", "normal"]],
    [{}, { priority: "normal" }, [undefined, "normal"]]
  ] as const) {
    it.effect(`${JSON.stringify(granted)}, asked for as ${JSON.stringify(asked)}`, () =>
      Effect.map(turnOf(granted, asked), (turn) => assert.deepStrictEqual(turn, [...expected]))
    )
  }
})
