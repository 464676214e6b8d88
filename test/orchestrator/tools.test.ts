import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { isToolResult, type ToolResultBlock } from "../../src/domain/Message.ts"
import type { Tool } from "../../src/orchestrator/Orchestrator.ts"
import { answer } from "../governor/world.ts"
import { assertLegal, callsTools, conversation, history, makeStage, plays, send, tool, use } from "./stage.ts"

/** What a caller without TypeScript can write. */
const untyped = (run: () => unknown): Tool["run"] => run as Tool["run"]

/** The stored results of tools that are called side by side in one round of a turn. */
const resultsOf = Effect.fnUntraced(function* (...tools: ReadonlyArray<Tool>) {
  const stage = makeStage()
  plays(stage, callsTools(...tools.map(({ definition: { name } }) => use(name, name))), answer("ok"))
  return yield* Effect.gen(function* () {
    const id = yield* conversation
    const told = yield* send(id, "go", { tools })
    assert.strictEqual(told.at(-1)?._tag, "Done")
    assertLegal(stage.upstream.requests)
    const content = (yield* history(id))[2]?.content
    return Array.isArray(content) ? content.filter(isToolResult) : []
  }).pipe(Effect.provide(stage.layer))
})

const failed = (result: ToolResultBlock | undefined, why: RegExp) => {
  assert.isTrue(result?.is_error)
  assert.match(String(result?.content), why)
}

describe("what a tool gives", () => {
  it.effect("may be nothing", () =>
    Effect.gen(function* () {
      const results = yield* resultsOf(
        tool(
          "nothing",
          untyped(() => Effect.void)
        ),
        tool(
          "null",
          untyped(() => Effect.succeed(null))
        ),
        tool("empty", () => Effect.succeed(""))
      )
      assert.deepStrictEqual(
        results.map(({ content, is_error }) => [content, is_error]),
        [
          ["", undefined],
          ["", undefined],
          ["", undefined]
        ]
      )
    })
  )

  it.effect("ends no turn, however little it can be stored or sent", () =>
    Effect.gen(function* () {
      const circle: Record<string, unknown> = { type: "text", text: "round" }
      circle.self = circle
      const [bytes, round, big, object, promise] = yield* resultsOf(
        tool(
          "bytes",
          untyped(() => Effect.succeed(Buffer.from("abc")))
        ),
        tool(
          "round",
          untyped(() => Effect.succeed([circle]))
        ),
        tool(
          "big",
          untyped(() => Effect.succeed([{ type: "text", text: "n", n: 1n }]))
        ),
        tool(
          "object",
          untyped(() => Effect.succeed({ ok: true }))
        ),
        tool(
          "promise",
          untyped(() => Promise.resolve("x"))
        )
      )
      failed(bytes, /neither text nor a list of content blocks/)
      failed(round, /nested too deeply/)
      failed(big, /JSON cannot hold/)
      failed(object, /neither text nor/)
      failed(promise, /returned no Effect/)
    })
  )

  it.effect("has room in the one message of its round, or its tool is told to give less", () =>
    Effect.gen(function* () {
      const third = "x".repeat(12 * 1024 * 1024)
      const [first, second, small] = yield* resultsOf(
        tool("first", () => Effect.succeed(third)),
        tool("second", () => Effect.succeed(third)),
        tool("small", () => Effect.succeed("y"))
      )
      failed(first, /1258\d{4} bytes; at most 11184\d{3} can be kept/)
      failed(second, /Ask it for less/)
      assert.strictEqual(small?.content, "y")
    })
  )

  it.effect("is text that upstream reads, also where it was cut in the middle of a character", () =>
    Effect.gen(function* () {
      const [plain, blocks, failure] = yield* resultsOf(
        tool("plain", () => Effect.succeed("💩".slice(0, 1))),
        tool("blocks", () => Effect.succeed([{ type: "text", text: "x💩".slice(0, 2) }])),
        tool("failure", () => Effect.fail({ message: "💩".slice(1) }))
      )
      assert.deepStrictEqual(
        [plain?.content, blocks?.content, failure?.content],
        ["\ufffd", [{ type: "text", text: "x\ufffd" }], "\ufffd"]
      )
    })
  )

  it.effect("is never a failure without words", () =>
    Effect.gen(function* () {
      const results = yield* resultsOf(
        tool("blank", () => Effect.fail({ message: " " })),
        tool(
          "wordless",
          untyped(() => Effect.fail({}))
        ),
        tool(
          "undefined",
          untyped(() => Effect.fail(undefined))
        )
      )
      for (const result of results) failed(result, /did not say why/)
    })
  )
})
