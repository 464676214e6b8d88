import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { temporaryDirectory } from "../support/directory.ts"
import { lines, sluice } from "./run.ts"
import { serve } from "./service.ts"

const body = (content: string) => ({
  model: "claude-sonnet-5-5",
  max_tokens: 50,
  messages: [{ role: "user", content }]
})

describe("sluice cache and sluice report", () => {
  it.live(
    "warm a cache that the gateway then answers from, and tell what it cost",
    () =>
      Effect.gen(function* () {
        const directory = yield* temporaryDirectory
        const file = join(directory, "requests.jsonl")
        const asked = [body("one"), { request: body("two"), tenant: "default" }]
        yield* Effect.promise(() => writeFile(file, `${asked.map((each) => JSON.stringify(each)).join("\n\n")}\n`))
        const { url } = yield* serve({ DATA_DIR: join(directory, "data") })
        const run = (...args: ReadonlyArray<string>) => sluice([...args, "--url", url])

        assert.include((yield* run("cache", "warm", file)).stdout, "2 asked, 0 known already, 0 without an answer.")
        assert.include((yield* run("cache", "warm", file)).stdout, "0 asked, 2 known already, 0 without an answer.")
        const answer = yield* Effect.promise(() =>
          fetch(`${url}/v1/messages`, {
            method: "POST",
            headers: { "content-type": "application/json", "anthropic-version": "2023-06-01" },
            body: JSON.stringify(body("one"))
          })
        )
        assert.strictEqual(answer.headers.get("x-sluice-cache"), "hit")
        assert.strictEqual(JSON.parse((yield* run("cache", "stats")).stdout).entries, 2)
        assert.include((yield* run("cache", "clear")).stdout, "2 entries dropped.")

        const daily = lines((yield* run("report", "--csv")).stdout)
        assert.lengthOf(daily, 2)
        assert.match(daily[0] ?? "", /^day,requests,/)
        const split = lines((yield* run("report", "--csv", "--lines")).stdout)
        assert.lengthOf(split, 3)
        assert.isTrue(split.some((line) => line.includes(",default,cache-warm,,4,")))
        const json = JSON.parse((yield* run("report", "--json", "--lines")).stdout)
        assert.deepStrictEqual(json.lines.length, 2)
        assert.isAbove(JSON.parse((yield* run("report", "--json")).stdout).total.cost.nanoUsd, 0)

        yield* Effect.promise(() => writeFile(file, `${JSON.stringify(body("three"))}\nnot JSON\n`))
        const refused = yield* run("cache", "warm", file)
        assert.strictEqual(refused.code, 1)
        assert.include(refused.stderr, "line 2, is no request")
        assert.lengthOf(lines(refused.stderr), 1)
      }).pipe(Effect.scoped),
    { timeout: 60_000 }
  )

  it.live("without the service's ADMIN_TOKEN, or with another, say where it is read from", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryDirectory
      const { url } = yield* serve({ DATA_DIR: join(directory, "data"), ADMIN_TOKEN: "right" })
      const clear = (env: Record<string, string>) => sluice(["cache", "clear", "--url", url], env)
      for (const env of [{}, { ADMIN_TOKEN: "wrong" }]) {
        const { code, stderr } = yield* clear(env)
        assert.strictEqual(code, 1)
        assert.match(stderr, /^sluice: Send ADMIN_TOKEN [^\n]+ reads ADMIN_TOKEN from its environment\.\n$/)
      }
      assert.strictEqual((yield* clear({ ADMIN_TOKEN: "right" })).code, 0)
    }).pipe(Effect.scoped)
  )
})
