import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Stream } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { isToolResult } from "../../src/domain/Message.ts"
import { Orchestrator } from "../../src/orchestrator/Orchestrator.ts"
import { answer, balance, balanced } from "../governor/world.ts"
import { assertLegal, callsTools, conversation, history, makeStage, plays, send, tool, use } from "./stage.ts"

const roles = (messages: ReadonlyArray<{ readonly role: string }>) => messages.map((message) => message.role).join(" ")

const deep = (levels: number): ReadonlyArray<unknown> => [
  { type: "hologram", data: JSON.parse("[".repeat(levels) + "]".repeat(levels)) }
]

describe("a turn", () => {
  it.effect("stores the question before anything else, streams the text, stores the answer, ends with Done", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      const seen: Array<number> = []
      const repo = yield* ChatRepo
      stage.upstream.reply = () => {
        seen.push(Effect.runSync(repo.messages(id, { limit: 10 })).length)
        return answer("hello you", { usage: { input_tokens: 50, output_tokens: 9 } })
      }
      const events = yield* send(id, "hi", { agent: "me" })
      assert.deepStrictEqual(seen, [1])
      assert.deepStrictEqual(
        events.map((event) => event._tag),
        ["TextDelta", "Done"]
      )
      const done = events.at(-1)
      assert.strictEqual(done?._tag === "Done" && done.message.content[0]?.text, "hello you")
      if (done?._tag !== "Done") return
      assert.strictEqual(done.settlements.length, 1)
      assert.strictEqual(done.settlements[0]?.usage.output, 9)
      assert.isAbove(done.context.tokens, 0)
      assert.isAbove(done.context.percentOfLimit, 0)
      assert.strictEqual(roles(yield* history(id)), "user assistant")
      const [entry] = stage.books.settled
      assert.deepInclude(entry?.caller, { tenant: "default", agent: "me", conversation: id })
      assert.isAbove(entry?.rawTokens ?? 0, 0)
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect(
    "takes the model from the caller, the conversation, the settings, in this order; aliases become ids",
    () => {
      const stage = makeStage({ orchestratorModel: "claude-opus-5-5" })
      return Effect.gen(function* () {
        const repo = yield* ChatRepo
        const plain = yield* conversation
        const own = (yield* repo.create({ model: "claude-haiku-5-5" })).id
        yield* send(plain, "a")
        yield* send(own, "b")
        yield* send(own, "c", { model: "sonnet" })
        yield* send(own, "d", { model: "claude-unheard-of-9" })
        assert.deepStrictEqual(
          stage.upstream.requests.map((request) => request.model),
          ["claude-opus-5-5", "claude-haiku-5-5", "claude-sonnet-5-5", "claude-unheard-of-9"]
        )
      }).pipe(Effect.provide(stage.layer))
    }
  )

  it.effect("turns of one conversation wait for each other, those of two do not", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const [one, two] = [yield* conversation, yield* conversation]
      const held = stage.steps.hold("claude.message_stop")
      const first = yield* Effect.forkChild(send(one, "first"), { startImmediately: true })
      yield* held.reached
      const second = yield* Effect.forkChild(send(one, "second"), { startImmediately: true })
      yield* send(two, "elsewhere")
      assert.strictEqual(roles(yield* history(one)), "user")
      held.release()
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.strictEqual(roles(yield* history(one)), "user assistant user assistant")
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("a refusal by budget leaves the question stored and the next turn legal", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      stage.books.budget = 0
      const error = yield* Effect.flip(send(id, "hi"))
      assert.strictEqual(error._tag, "BudgetExceeded")
      stage.books.budget = Number.MAX_SAFE_INTEGER
      yield* send(id, "again")
      assert.strictEqual(roles(yield* history(id)), "user user assistant")
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("with CONTEXT_ENABLED=false only what upstream refuses is mended", () => {
    const stage = makeStage({ enabled: { context: false } })
    return Effect.gen(function* () {
      const id = yield* conversation
      const blank = { type: "text", text: "\n\n" }
      plays(stage, callsTools(blank, use("t1", "list_agents")), answer("", { content: [blank] }), answer("ok"))
      const marked = [{ type: "text", text: "one", cache_control: { type: "ephemeral" } }]
      yield* send(id, marked)
      yield* send(id, "two")
      assert.deepStrictEqual(stage.upstream.requests.at(-1)?.messages[0]?.content, marked)
      assert.deepStrictEqual((yield* history(id))[1]?.content, [blank, use("t1", "list_agents")])
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("with CONTEXT_ENABLED=false the history goes out as it is", () => {
    const stage = makeStage({ enabled: { context: false } })
    return Effect.gen(function* () {
      const id = yield* conversation
      for (const n of [1, 2, 3]) yield* send(id, `question ${n}`)
      const sent = stage.upstream.requests.at(-1)
      const stored = yield* history(id)
      assert.deepStrictEqual(
        sent?.messages,
        stored.slice(0, 5).map(({ content, role }) => ({ role, content }))
      )
      assert.isUndefined(sent?.cache_control)
    }).pipe(Effect.provide(stage.layer))
  })
})

describe("what cannot be taken", () => {
  const bad: ReadonlyArray<readonly [string, unknown, string]> = [
    ["empty text", "", "empty"],
    ["blank text", " \n\t ", "empty"],
    ["no blocks", [], "no content blocks"],
    ["an image of nothing", [{ type: "image" }], "image has no `source`"],
    ["a document in no form", [{ type: "document", source: {} }], "document has no `source`"],
    ["a blank block", [{ type: "text", text: " " }], "blank"],
    ["an orphan tool result", [{ type: "tool_result", tool_use_id: "x", content: "y" }], "tool_result"],
    ["a tool call", [{ type: "tool_use", id: "x", name: "y", input: {} }], "tool_use"],
    ["thinking", [{ type: "thinking", thinking: "" }], "thinking"],
    ["a call of upstream's own", [{ type: "mcp_tool_use", id: "x", name: "y", input: {} }], "mcp_tool_use"],
    ["its result", [{ type: "web_search_tool_result", tool_use_id: "x", content: [] }], "web_search_tool_result"],
    ["a compaction", [{ type: "compaction", content: "all of it" }], "compaction"],
    ["an image that is none", [{ type: "image", source: { type: "base64", data: "!" } }], "not base64"],
    [
      "an image of an unknown kind",
      [{ type: "image", source: { type: "base64", media_type: "image/tiff", data: "AA==" } }],
      "image/tiff"
    ],
    ["more levels than can be walked", deep(100_000), "nested deeper than 200 levels"],
    ["half a character", "cut \ud83d", "cut between characters"],
    ["half a character in a block", [{ type: "text", text: "\udca9 cut" }], "cut between characters"],
    ["not content", { text: "x" }, "neither"],
    ["more than the model can read", "word ".repeat(700_000), "Split it"]
  ]
  for (const [name, content, why] of bad) {
    it.effect(name, () => {
      const stage = makeStage()
      return Effect.gen(function* () {
        const id = yield* conversation
        // What a caller without TypeScript might pass.
        const error = yield* Effect.flip(send(id, content as string))
        assert.strictEqual(error._tag, "InvalidMessage")
        assert.include(error.message, why)
        assert.deepStrictEqual(yield* history(id), [])
        assert.strictEqual(stage.upstream.requests.length, 0)
      }).pipe(Effect.provide(stage.layer))
    })
  }

  it.effect("an unknown conversation", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const error = yield* Effect.flip(send("nowhere", "hi"))
      assert.strictEqual(error._tag, "ConversationNotFound")
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("blocks of kinds we do not know are taken as they are", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      const content = [
        { type: "text", text: "see" },
        { type: "hologram", data: { depth: 3 } }
      ]
      yield* send(id, content)
      assert.deepStrictEqual((yield* history(id))[0]?.content, content)
    }).pipe(Effect.provide(stage.layer))
  })
})

describe("tools", () => {
  it.effect("run side by side; results are stored in the order of the calls, in one message", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      const second = yield* Deferred.make<void>()
      plays(
        stage,
        callsTools({ type: "text", text: "let me see" }, use("t1", "slow"), use("t2", "quick", { q: 1 })),
        answer("done")
      )
      const tools = [
        tool("slow", () => Deferred.await(second).pipe(Effect.andThen(Effect.yieldNow), Effect.as("slow result"))),
        tool("quick", (input) => Effect.as(Deferred.succeed(second, undefined), JSON.stringify(input)))
      ]
      const events = yield* send(id, "go", { tools })
      assert.deepStrictEqual(
        events.map((event) =>
          event._tag === "ToolResult" || event._tag === "ToolCall" ? `${event._tag} ${event.id}` : event._tag
        ),
        ["TextDelta", "ToolCall t1", "ToolCall t2", "ToolResult t2", "ToolResult t1", "TextDelta", "Done"]
      )
      const stored = yield* history(id)
      assert.strictEqual(roles(stored), "user assistant user assistant")
      assert.deepStrictEqual(stored[2]?.content, [
        { type: "tool_result", tool_use_id: "t1", content: "slow result" },
        { type: "tool_result", tool_use_id: "t2", content: '{"q":1}' }
      ])
      const done = events.at(-1)
      assert.strictEqual(done?._tag === "Done" && done.settlements.length, 2)
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("unknown, failing and broken tools answer with is_error, and the turn goes on", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      plays(
        stage,
        callsTools(use("t1", "nobody"), use("t2", "fails"), use("t3", "dies"), use("t4", "throws")),
        answer("ok")
      )
      const tools = [
        tool("fails", () => Effect.fail({ message: "no such file" })),
        tool("dies", () => Effect.die(new Error("boom"))),
        tool("throws", () => {
          throw new Error("at once")
        })
      ]
      yield* send(id, "go", { tools })
      const results = (yield* history(id))[2]?.content
      const told = Array.isArray(results) ? results.filter(isToolResult) : []
      assert.deepStrictEqual(
        told.map((result) => result.is_error),
        [true, true, true, true]
      )
      assert.match(String(told[0]?.content), /no tool "nobody".*report_cost, list_agents, fails, dies, throws/)
      assert.strictEqual(told[1]?.content, "no such file")
      assert.match(String(told[2]?.content), /boom/)
      assert.match(String(told[3]?.content), /at once/)
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("know who calls them", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      plays(stage, callsTools(use("t1", "who")), answer("ok"))
      const asked: Array<unknown> = []
      const who = tool("who", (_, context) => Effect.sync(() => `${asked.push(context)}`))
      yield* send(id, "go", { tools: [who], agent: "planner" })
      assert.deepStrictEqual(asked, [{ conversation: id, tenant: "default", agent: "planner", toolUseId: "t1" }])
    }).pipe(Effect.provide(stage.layer))
  })

  for (const [stop, goesOn] of [
    ["max_tokens", true],
    ["model_context_window_exceeded", false],
    ["refusal", false]
  ] as const) {
    it.effect(`a call that was cut off by ${stop} is not run, and the turn ${goesOn ? "goes on" : "ends"}`, () => {
      const stage = makeStage()
      return Effect.gen(function* () {
        const id = yield* conversation
        let ran = 0
        plays(stage, answer("", { content: [use("t1", "write")], stop_reason: stop }), answer("ok"))
        const told = yield* send(id, "go", { tools: [tool("write", () => Effect.sync(() => `${ran++}`))] })
        assert.strictEqual(ran, 0)
        assert.strictEqual(told.at(-1)?._tag, "Done")
        assert.strictEqual(stage.upstream.requests.length, goesOn ? 2 : 1)
        const stored = yield* history(id)
        assert.strictEqual(roles(stored), goesOn ? "user assistant user assistant" : "user assistant user")
        assert.match(JSON.stringify(stored[2]?.content), /Not run: /)
        yield* send(id, "and now?")
        assertLegal(stage.upstream.requests)
      }).pipe(Effect.provide(stage.layer))
    })
  }

  it.effect("too many rounds end the turn with everything stored, and the next one goes on", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      let n = 0
      stage.upstream.reply = () => callsTools(use(`t${n++}`, "again"))
      const again = tool("again", () => Effect.succeed("more"))
      const error = yield* Effect.flip(send(id, "go", { tools: [again], maxToolRounds: 3 }))
      assert.deepInclude(error, { _tag: "TooManyToolRounds", rounds: 3 })
      assert.strictEqual(roles(yield* history(id)), "user assistant user assistant user assistant user")
      stage.upstream.reply = () => answer("enough")
      yield* send(id, "stop")
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("report_cost and list_agents are there without being asked for", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      const spawn = tool("create_agent", () => Effect.succeed("started"))
      const command = tool("command_agent", () => Effect.fail({ message: "busy" }))
      plays(
        stage,
        callsTools(
          use("a1", "create_agent", { name: "scout", task: "look" }),
          use("a2", "command_agent", { agent: "digger" })
        ),
        callsTools(use("a3", "list_agents"), use("a4", "report_cost")),
        answer("ok")
      )
      const events = yield* send(id, "go", { tools: [spawn, command] })
      const told = events.flatMap((event) => (event._tag === "ToolResult" ? [String(event.content)] : []))
      assert.strictEqual(
        told.find((text) => text.includes("scout")),
        "digger: failed (message 2)\nscout: done (message 2)"
      )
      assert.match(told.find((text) => text.includes("Today")) ?? "", /Today \(2026-11-23\): \$0\.00/)
      const repo = yield* ChatRepo
      assert.deepStrictEqual(
        (yield* repo.agents(id)).map(({ name, status }) => [name, status]),
        [
          ["digger", "failed"],
          ["scout", "done"]
        ]
      )
    }).pipe(Effect.provide(stage.layer))
  })
})

describe("interruption", () => {
  it.effect("in the middle of tools: what is done is stored, the rest is marked, the next turn is legal", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      const started = yield* Deferred.make<void>()
      const tools = [
        tool("quick", () => Effect.succeed("finished")),
        tool("endless", () => Effect.andThen(Deferred.succeed(started, undefined), Effect.never))
      ]
      plays(stage, callsTools(use("t1", "quick"), use("t2", "endless")), answer("later"))
      const fiber = yield* Effect.forkChild(send(id, "go", { tools }))
      yield* Deferred.await(started)
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      const content = (yield* history(id))[2]?.content
      const results = Array.isArray(content) ? content.filter(isToolResult) : []
      assert.deepStrictEqual(
        results.map((result) => [result.tool_use_id, result.is_error ?? false]),
        [
          ["t1", false],
          ["t2", true]
        ]
      )
      yield* send(id, "and now?")
      assert.strictEqual(roles(yield* history(id)), "user assistant user user assistant")
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("a process that died between calls and results: the next turn answers them first", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const repo = yield* ChatRepo
      const id = yield* conversation
      yield* repo.append(id, [
        { role: "user", content: "go", tokens: 1 },
        { role: "assistant", content: [use("t1", "x"), use("t2", "y")], tokens: 1 }
      ])
      yield* send(id, "what happened?")
      const stored = yield* history(id)
      assert.strictEqual(roles(stored), "user assistant user user assistant")
      const results = stored[2]?.content
      assert.deepStrictEqual(
        Array.isArray(results) ? results.map((block) => [block.tool_use_id, block.is_error]) : [],
        [
          ["t1", true],
          ["t2", true]
        ]
      )
      assert.strictEqual(stored[3]?.content, "what happened?")
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })

  it.effect("at any moment: nothing is held, the bill is booked, and the next turn is legal and answered", () =>
    Effect.gen(function* () {
      const tools = [tool("look", () => Effect.succeed("seen"))]
      const script = (stage: ReturnType<typeof makeStage>) =>
        plays(stage, callsTools({ type: "text", text: "hm" }, use("t1", "look")), answer("done"))
      const rehearsal = makeStage()
      script(rehearsal)
      yield* Effect.flatMap(conversation, (id) => send(id, "go", { tools })).pipe(Effect.provide(rehearsal.layer))
      for (const step of new Set(rehearsal.steps.log)) {
        const stage = makeStage()
        script(stage)
        yield* Effect.gen(function* () {
          const id = yield* conversation
          const held = stage.steps.hold(step)
          const fiber = yield* Effect.forkChild(send(id, "go", { tools }), { startImmediately: true })
          yield* held.reached
          const leaving = yield* Effect.forkChild(Fiber.interrupt(fiber), { startImmediately: true })
          held.release()
          yield* Fiber.join(leaving)
          const events = yield* send(id, "still there?", { tools })
          assert.strictEqual(events.at(-1)?._tag, "Done", step)
          assertLegal(stage.upstream.requests)
        }).pipe(Effect.provide(stage.layer))
        assert.deepStrictEqual(balance(stage), balanced, `left at ${step}`)
      }
    })
  )

  it.effect("a reader who takes only the beginning frees the conversation", () => {
    const stage = makeStage()
    return Effect.gen(function* () {
      const id = yield* conversation
      const orchestrator = yield* Orchestrator
      plays(stage, callsTools({ type: "text", text: "hm" }, use("t1", "never")), answer("done"))
      const never = tool("never", () => Effect.never)
      yield* Stream.runDrain(Stream.take(orchestrator.send(id, "go", { tools: [never] }), 2))
      const events = yield* send(id, "go on")
      assert.strictEqual(events.at(-1)?._tag, "Done")
      assertLegal(stage.upstream.requests)
    }).pipe(Effect.provide(stage.layer))
  })
})
