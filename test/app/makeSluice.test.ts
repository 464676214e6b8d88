import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { makeSluice, type TurnEvent } from "../../src/index.ts"
import { root } from "../cli/run.ts"
import { temporary } from "../cli/service.ts"

const request = {
  model: "claude-sonnet-5-5",
  max_tokens: 50,
  messages: [{ role: "user" as const, content: "Say hello." }]
}

const sluice = Effect.acquireRelease(
  Effect.map(temporary, (dataDir) => makeSluice({ dataDir })),
  (handle) => Effect.promise(() => handle.dispose())
)

describe("makeSluice", () => {
  it.live("governs requests, fetches and conversations without any Effect of the caller's", () =>
    Effect.gen(function* () {
      const handle = yield* sluice
      const first = yield* Effect.promise(() => handle.run(request, { tenant: "acme" }))
      assert.strictEqual(first.message.role, "assistant")
      assert.isAbove(first.settlement.costNanoUsd, 0)

      const init = { method: "POST", body: JSON.stringify(request) }
      const response = yield* Effect.promise(() => handle.fetchAs({ tenant: "acme" })("http://x/v1/messages", init))
      assert.strictEqual(response.status, 200)
      assert.deepStrictEqual(yield* Effect.promise(() => response.json()), first.message)

      const { id } = yield* Effect.promise(() => handle.createConversation({ title: "t" }))
      const told: Array<TurnEvent> = []
      yield* Effect.promise(async () => {
        for await (const event of handle.send(id, "Say hello.")) told.push(event)
      })
      assert.strictEqual(told.at(-1)?._tag, "Done")
    }).pipe(Effect.scoped)
  )

  it.live("an unknown conversation rejects with an error that says what to do", () =>
    Effect.gen(function* () {
      const handle = yield* sluice
      const error = yield* Effect.flip(
        Effect.tryPromise(async () => {
          for await (const _ of handle.send("none", "Hi")) assert.fail("an event")
        })
      )
      assert.match(String((error.cause as Error).message), /no conversation "none"/)
    }).pipe(Effect.scoped)
  )
})

const code = (text: string): string =>
  text
    .replace("../../src/index.ts", "sluice")
    .split("\n")
    .filter((line) => !/^\s*(\/\/.*)?$/.test(line) && !line.startsWith("console."))
    .join(" ")
    .replace(/\s+/g, " ")
    .trim()

describe("examples", () => {
  it("README's embedding example is docs/examples/embed.ts, which is type-checked", () => {
    const readme = readFileSync(`${root}README.md`, "utf8")
    const [, block = ""] = /## Embed it\n+```ts\n([\s\S]*?)```/.exec(readme) ?? []
    assert.strictEqual(code(block), code(readFileSync(`${root}docs/examples/embed.ts`, "utf8")))
  })
})
