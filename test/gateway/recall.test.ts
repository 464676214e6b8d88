import { buffer } from "node:stream/consumers"
import Anthropic from "@anthropic-ai/sdk"
import type { MessageParam } from "@anthropic-ai/sdk/resources/messages"
import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { McpClient, McpProtocol } from "effect/ai"
import { FetchHttpClient, HttpServer } from "effect/http"
import { Database } from "../../src/chat/Database.ts"
import * as SimulatorServer from "../../src/testing/SimulatorServer.ts"
import { Addresses, model, post, type Reply, send, tapped, Wiretap } from "./world.ts"

const tokens = {
  default: "token-of-default-0123456789",
  acme: "token-of-acme-0123456789",
  other: "token-of-other-0123456789"
}

const settings = {
  gatewayTokens: new Map(Object.entries(tokens).map(([name, token]) => [name, Redacted.make(token)])),
  gatewayContext: "compact" as const,
  maxContextTokens: 8_000,
  maxContextMessages: 60,
  recentMessagesFull: 6,
  midRangeMessages: 20,
  summaryModel: "none"
}

const needle = "The crate of the third winch bears the seal KX-7731-QUARTZ."

const question = (n: number): MessageParam => ({
  role: "user",
  content: `Question ${n}: ${"what comes next in the plan? ".repeat(30)}${n === 2 ? needle : ""}${" and then what? ".repeat(30)}`
})

/** Hands what the gateway sends on to a simulator, which judges and answers it. */
const relayed = Effect.gen(function* () {
  const built = yield* Layer.build(SimulatorServer.layer({ port: 0, shutdown: "1 millis" }))
  const simulator = yield* Effect.provide(
    HttpServer.addressFormattedWith((url) => Effect.succeed(url)),
    built
  )
  const reply: Reply = async (response, { body, headers, url }) => {
    const answer = await fetch(`${simulator}${url}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-api-key": String(headers["x-api-key"]),
        "anthropic-version": "2023-06-01"
      },
      body: new Uint8Array(body)
    })
    response.writeHead(answer.status, { "content-type": "application/json" })
    response.end(answer.body === null ? "" : await buffer(answer.body))
  }
  const tap = yield* Wiretap
  tap.reply.current = reply
})

const sent = Effect.map(Wiretap, ({ seen }) => JSON.parse(seen.at(-1)?.body.toString() ?? ""))
const opening = (request: { readonly messages: ReadonlyArray<unknown> }) => JSON.stringify(request.messages[0])

/** A client that goes on asking and sends all that was said each time. */
const makeTalk = (apiKey: string) =>
  Effect.gen(function* () {
    const { gateway } = yield* Addresses
    const anthropic = new Anthropic({ baseURL: gateway, apiKey, maxRetries: 0 })
    const messages: Array<MessageParam> = []
    return (n: number, recall: "on" | "off") =>
      Effect.gen(function* () {
        messages.push(question(n))
        const { data, response } = yield* Effect.promise(() =>
          anthropic.messages
            .create({ model, max_tokens: 200, messages }, { headers: { "x-sluice-recall": recall } })
            .withResponse()
        )
        messages.push({ role: "assistant", content: data.content })
        return { request: yield* sent, name: response.headers.get("x-sluice-conversation") ?? "" }
      })
  })

const isCondensed = (request: { readonly messages: ReadonlyArray<unknown> }) =>
  opening(request).includes("Earlier messages of this conversation")

/** Calls the tool as an agent does that knows of the MCP server. */
const recall = (token: string, input: Record<string, unknown>) =>
  Effect.gen(function* () {
    const client = yield* McpClient.McpClient
    const [tool] = yield* client.listTools()
    if (tool?.name !== "recall_history") return yield* Effect.die("recall_history is not there")
    const { content, isError } = yield* client.callTool({ tool, arguments: input })
    const [block] = content
    return { isError, text: block?.type === "text" ? block.text : "" }
  }).pipe(
    Effect.provide(
      Layer.unwrap(
        Effect.map(Addresses, ({ gateway }) =>
          McpClient.layerHttp({
            name: "test",
            version: "1",
            protocol: McpProtocol.v2025_11_25,
            url: `${gateway}/mcp`,
            headers: { authorization: `Bearer ${token}` }
          })
        )
      ).pipe(Layer.provide(FetchHttpClient.layer))
    )
  )

layer(Database.layerMemory, { excludeTestServices: true })((it) => {
  it.layer(tapped({ settings }))("a client whose history is condensed, with recall", (it) => {
    it.effect("reads its conversation's name at the beginning, which finds what was said word for word", () =>
      Effect.gen(function* () {
        yield* relayed
        const talk = yield* makeTalk(tokens.acme)
        const names = new Set<string>()
        let [last, compactions] = ["", 0]
        let turns = 0
        let request = yield* Effect.map(talk(turns, "on"), (told) => told.request)
        while (compactions < 3) {
          const before = request.messages
          const told = yield* talk(++turns, "on")
          names.add(told.name)
          request = told.request
          if (!isCondensed(request)) continue
          const now = opening(request)
          assert.include(now, `give it conversation \\"${told.name}\\"`)
          if (now === last) assert.deepStrictEqual(request.messages.slice(0, before.length), before)
          else compactions++
          last = now
        }
        const [name = ""] = names
        assert.deepStrictEqual([...names], [name])
        assert.match(name, /^gw_[0-9a-f]{24}$/)

        const answer = yield* recall(tokens.acme, { conversation: name, query: "crate third winch seal" })
        assert.isFalse(answer.isError)
        assert.match(answer.text, /\[message 4, user, [^\n]*\]\n…[^\n]*KX-7731-QUARTZ/)
        const first = yield* recall(tokens.acme, { conversation: name, to_message: 1, from_message: 0 })
        assert.match(first.text, /\[message 0, user, [^\n]*\]\nQuestion 0:[\s\S]*\[message 1, assistant/)

        const search = (token: string) =>
          send(`/api/conversations/${name}/search?q=winch`, { headers: { "x-api-key": token } })
        const mine = yield* search(tokens.acme)
        assert.deepStrictEqual([mine.status, mine.json.found[0].seq], [200, 4])

        const foreign = yield* recall(tokens.other, { conversation: name, query: "winch" })
        assert.isTrue(foreign.isError)
        assert.include(foreign.text, `The gateway holds no conversation "${name}" for you.`)
        const refused = yield* search(tokens.other)
        assert.deepInclude(refused.json, { status: 404, type: "urn:sluice:problem:conversation-not-found" })
        assert.include(refused.json.detail, "The gateway holds no conversation")
      })
    )

    it.effect("keeps its bytes when a request says otherwise, until the next compaction", () =>
      Effect.gen(function* () {
        yield* relayed
        const talk = yield* makeTalk("sk-ant-keeps-its-bytes")
        let turns = 0
        let request = yield* Effect.map(talk(turns, "on"), (told) => told.request)
        while (!isCondensed(request)) request = (yield* talk(++turns, "on")).request
        const named = opening(request)
        assert.include(named, "recall_history")
        let kept = 0
        request = (yield* talk(++turns, "off")).request
        while (opening(request) === named) {
          kept++
          request = (yield* talk(++turns, "off")).request
        }
        assert.isAbove(kept, 0)
        assert.isTrue(isCondensed(request))
        assert.notInclude(opening(request), "recall_history")
      })
    )

    it.effect("is found by the key that pays for it, and by no other", () =>
      Effect.gen(function* () {
        yield* relayed
        const talk = yield* makeTalk("sk-ant-mine")
        yield* talk(1, "off")
        const { name } = yield* talk(2, "off")
        const query = { conversation: name, query: "winch" }
        assert.include((yield* recall("sk-ant-mine", query)).text, "KX-7731-QUARTZ")
        for (const token of ["sk-ant-other", tokens.acme, tokens.default])
          assert.isTrue((yield* recall(token, query)).isError)
      })
    )

    it.effect("is looked for where it was condensed, whatever else begins alike, and when it was sent", () =>
      Effect.gen(function* () {
        yield* relayed
        const talk = yield* makeTalk(tokens.other)
        let turns = 0
        let told = yield* talk(turns, "on")
        while (!isCondensed(told.request)) told = yield* talk(++turns, "on")
        const aside = yield* post(
          { model, max_tokens: 10, messages: [question(0), { role: "assistant", content: "So?" }, question(1)] },
          { "x-api-key": tokens.other }
        )
        assert.strictEqual(aside.headers.get("x-sluice-conversation"), told.name)
        const found = (times: object) =>
          Effect.map(recall(tokens.other, { conversation: told.name, query: "winch", ...times }), ({ text }) =>
            text.includes("KX-7731-QUARTZ")
          )
        assert.isTrue(yield* found({ from_time: "2000-01-01" }))
        assert.isFalse(yield* found({ to_time: "2000-01-01" }))
      })
    )

    it.effect("gets the bytes that it would get without, but for one sentence", () =>
      Effect.gen(function* () {
        yield* relayed
        const messages = Array.from({ length: 61 }, (_, n) =>
          n % 2 === 0
            ? question(n)
            : { role: "assistant", content: `Answer ${n}: ${"this is the next step. ".repeat(20)}` }
        )
        const bytes = (conversation: string, headers: Record<string, string>) =>
          Effect.gen(function* () {
            const answer = yield* post(
              { model, max_tokens: 100, messages },
              { "x-api-key": tokens.acme, "x-sluice-cache": "off", "x-sluice-conversation": conversation, ...headers }
            )
            assert.strictEqual(answer.status, 200)
            const name = answer.headers.get("x-sluice-conversation")
            return { name, text: yield* Effect.map(Wiretap, ({ seen }) => seen.at(-1)?.body.toString() ?? "") }
          })
        const silent = yield* bytes("a", {})
        assert.match(
          silent.text,
          /"\[Earlier messages of this conversation, condensed\. [^"\]]* is no instruction\.\]"/
        )
        assert.strictEqual((yield* bytes("b", { "x-sluice-recall": "off" })).text, silent.text)
        const { name, text } = yield* bytes("c", { "x-sluice-recall": "on" })
        assert.notStrictEqual(text, silent.text)
        const sentence = / If you have the tool recall_history [^\]]*\]/
        assert.include(sentence.exec(text)?.[0] ?? "", String(name))
        assert.strictEqual(text.replace(sentence, "]"), silent.text)
      })
    )

    it.effect("hears what the header takes", () =>
      Effect.gen(function* () {
        const answer = yield* post(
          { model, max_tokens: 1, messages: [question(0)] },
          { "x-api-key": tokens.acme, "x-sluice-recall": "maybe" }
        )
        assert.strictEqual(answer.status, 400)
        assert.include(answer.json.error.message, "x-sluice-recall: on, off is accepted")
      })
    )
  })

  it.layer(tapped({ settings: { ...settings, gatewayRecall: true } }))("GATEWAY_RECALL=on", (it) => {
    it.effect("names the conversations of everybody who does not say otherwise", () =>
      Effect.gen(function* () {
        const messages = Array.from({ length: 61 }, (_, n) =>
          n % 2 === 0 ? question(n) : { role: "assistant", content: `Answer ${n}` }
        )
        const asked = (conversation: string, headers: Record<string, string>) =>
          post(
            { model, max_tokens: 10, messages },
            { "x-api-key": tokens.acme, "x-sluice-conversation": conversation, ...headers }
          )
        const { headers } = yield* asked("a", {})
        assert.include(opening(yield* sent), String(headers.get("x-sluice-conversation")))
        yield* asked("b", { "x-sluice-recall": "off" })
        assert.isTrue(isCondensed(yield* sent))
        assert.notInclude(opening(yield* sent), "recall_history")
        const unmanaged = yield* asked("c", { "x-sluice-context": "off" })
        assert.isNull(unmanaged.headers.get("x-sluice-conversation"))
        assert.deepStrictEqual((yield* sent).messages, messages)
      })
    )
  })
})
