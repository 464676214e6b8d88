import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { lines, sluice } from "./run.ts"
import { start } from "./service.ts"

describe("sluice simulate", () => {
  it.live("answers as the Messages API until it is asked to stop", () =>
    Effect.gen(function* () {
      const simulator = yield* start(["simulate", "--port", "0", "--requests-per-minute", "1"], {})
      const ask = Effect.promise(() =>
        fetch(`${simulator.url}/v1/messages`, {
          method: "POST",
          headers: { "x-api-key": "any", "anthropic-version": "2023-06-01" },
          body: JSON.stringify({
            model: "claude-sonnet-5-5",
            max_tokens: 20,
            messages: [{ role: "user", content: "Hi" }]
          })
        }).then(async (response) => ({ status: response.status, body: await response.text() }))
      )
      const first = yield* ask
      assert.strictEqual(first.status, 200, first.body)
      assert.include(first.body, '"type":"message"')
      assert.strictEqual((yield* ask).status, 429)

      const { port } = new URL(simulator.url)
      const taken = yield* sluice(["simulate", "--port", port])
      assert.strictEqual(taken.code, 1)
      assert.strictEqual(lines(taken.stderr).length, 1)
      assert.include(taken.stderr, port)

      assert.strictEqual(yield* simulator.stop(), 0)
    }).pipe(Effect.scoped)
  )

  it.live("refuses ports, times and limits that are none", () =>
    Effect.gen(function* () {
      for (const [flag, value, expected] of [
        ["--port", "99999", "a whole number from 0 to 65535"],
        ["--latency", "-1", "milliseconds, 0 or more"],
        ["--requests-per-minute", "0", "a whole number, 1 or more"]
      ] as const) {
        const { code, stderr } = yield* sluice(["simulate", flag, value])
        assert.strictEqual(code, 2)
        assert.include(stderr, `${flag}: "${value}". Expected: ${expected}\n`)
      }
    })
  )
})
