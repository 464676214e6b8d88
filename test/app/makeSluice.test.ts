import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted } from "effect"
import { replayEvents } from "../../src/domain/AnswerReplay.ts"
import { ChatRepo, CostTracker, makeSluice, type Tool, type TurnEvent } from "../../src/index.ts"
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

/** An upstream whose every answer calls the tool `hangs`. */
const callingUpstream = Effect.acquireRelease(
  Effect.callback<Server>((resume) => {
    const answer = {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: request.model,
      content: [{ type: "tool_use", id: "t1", name: "hangs", input: {} }],
      stop_reason: "tool_use",
      usage: { input_tokens: 1, output_tokens: 1 }
    } as const
    const events = replayEvents(answer).map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
    const server = createServer((incoming, response) => {
      incoming.resume()
      response.writeHead(200, { "content-type": "text/event-stream" }).end(events.join(""))
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => server.close())
).pipe(
  Effect.map((server) => {
    const bound = server.address()
    const port = typeof bound === "object" && bound !== null ? bound.port : 0
    return {
      anthropicApiKey: Option.some(Redacted.make("sk-ant-test")),
      anthropicBaseUrl: `http://127.0.0.1:${port}`
    }
  })
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

  it.live("books under the defaults what a program was not told", () =>
    Effect.gen(function* () {
      const handle = yield* sluice
      const untold = { tenant: undefined, agent: undefined, priority: undefined }
      yield* Effect.promise(() => handle.run(request, untold))
      const init = { method: "POST", body: JSON.stringify({ ...request, max_tokens: 60 }) }
      yield* Effect.promise(() => handle.fetchAs(untold)("http://x/v1/messages", init))
      const state = CostTracker.use((costs) => costs.stateFor("default"))
      assert.strictEqual((yield* Effect.promise(() => handle.runtime.runPromise(state))).total.requests, 2)
    }).pipe(Effect.scoped)
  )

  it.live("starts anew after a start that failed", () =>
    Effect.gen(function* () {
      const dataDir = yield* temporary
      const holder = makeSluice({ dataDir })
      const handle = makeSluice({ dataDir })
      yield* Effect.promise(() => holder.createConversation())
      const error = yield* Effect.flip(Effect.tryPromise(() => handle.createConversation()))
      assert.match(String((error.cause as Error).message), /another process is using this directory/)
      yield* Effect.promise(() => holder.dispose())
      assert.isString((yield* Effect.promise(() => handle.createConversation())).id)
      yield* Effect.promise(() => handle.dispose())
      const late = yield* Effect.flip(Effect.tryPromise(() => handle.createConversation()))
      assert.match(String((late.cause as Error).message), /disposed of/)
    }).pipe(Effect.scoped)
  )

  it.live("disposing in the middle of a turn stores how far it came", () =>
    Effect.gen(function* () {
      const settings = { dataDir: yield* temporary, ...(yield* callingUpstream) }
      const handle = makeSluice(settings)
      const { id } = yield* Effect.promise(() => handle.createConversation())
      const hangs: Tool = {
        definition: { name: "hangs", description: "hangs", input_schema: { type: "object" } },
        run: () => Effect.never
      }
      const reading = handle.send(id, "Go.", { tools: [hangs] })[Symbol.asyncIterator]()
      const first = yield* Effect.promise(() => reading.next())
      assert.strictEqual(first.value?._tag, "ToolCall")
      yield* Effect.promise(() => handle.dispose())
      const again = makeSluice(settings)
      const messages = ChatRepo.use((chat) => chat.messages(id, { after: -1, limit: 10 }))
      const stored = yield* Effect.promise(() => again.runtime.runPromise(messages))
      assert.strictEqual(stored.map(({ role }) => role).join(" "), "user assistant user")
      assert.include(JSON.stringify(stored[2]?.content), "Interrupted")
      yield* Effect.promise(() => again.dispose())
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
