import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { lines, sluice } from "./run.ts"
import { serve, temporary } from "./service.ts"

const admin = { ADMIN_TOKEN: "the-operators-token" }

const ask = (url: string, token: string) =>
  Effect.promise(() =>
    fetch(`${url}/v1/messages`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": token, "anthropic-version": "2023-06-01" },
      body: JSON.stringify({
        model: "claude-sonnet-5-5",
        max_tokens: 10,
        messages: [{ role: "user", content: "Hello" }]
      })
    })
  )

describe("sluice tokens", () => {
  it.live("makes, lists and revokes tokens of a running service", () =>
    Effect.gen(function* () {
      const data = yield* temporary
      const service = yield* serve({ DATA_DIR: data, ...admin })
      const tokens = (...args: ReadonlyArray<string>) => sluice(["tokens", ...args, "--url", service.url], admin)
      const added = yield* tokens("add", "night", "--priority", "background", "--budget", "5", "--share", "0.5")
      assert.strictEqual(added.code, 0, added.stderr)
      const [token = "", ...rest] = lines(added.stdout)
      assert.match(token, /^sluice_/)
      assert.lengthOf(rest, 0)
      assert.strictEqual((yield* ask(service.url, token)).status, 200)
      const list = yield* tokens("list")
      assert.match(list.stdout, /night +- +background +\$5\.00 +0\.5 +database/)
      assert.notInclude(list.stdout, token)
      assert.strictEqual((yield* tokens("add", "night")).code, 1)
      assert.strictEqual((yield* tokens("revoke", "night")).code, 0)
      assert.strictEqual((yield* ask(service.url, token)).status, 401)
      const gone = yield* tokens("revoke", "night")
      assert.strictEqual(gone.code, 1)
      assert.include(gone.stderr, 'no stored token "night"')
      const stranger = yield* sluice(["tokens", "list", "--url", service.url])
      assert.strictEqual(stranger.code, 1)
      assert.lengthOf(lines(stranger.stderr), 1)
    }).pipe(Effect.scoped)
  )

  it.live("keeps them in the database when no service runs", () =>
    Effect.gen(function* () {
      const env = { DATA_DIR: yield* temporary, PORT: "1" }
      const added = yield* sluice(["tokens", "add", "acme"], env)
      assert.strictEqual(added.code, 0, added.stderr)
      const list = yield* sluice(["tokens", "list", "--json"], env)
      assert.deepInclude(JSON.parse(list.stdout)[0], { name: "acme", source: "database", share: 1 })
      const service = yield* serve({ DATA_DIR: env.DATA_DIR })
      assert.strictEqual((yield* ask(service.url, lines(added.stdout)[0] ?? "")).status, 200)
      assert.strictEqual((yield* ask(service.url, "another-token")).status, 401)
    }).pipe(Effect.scoped)
  )

  it.live("says what a token cannot be", () =>
    Effect.gen(function* () {
      for (const args of [["a b"], ["x", "--share", "0"], ["x", "--budget", "-1"]]) {
        const ran = yield* sluice(["tokens", "add", ...args], { PORT: "1" })
        assert.notStrictEqual(ran.code, 0)
        assert.notMatch(ran.stderr, /bug|RegExp/)
      }
    })
  )
})
