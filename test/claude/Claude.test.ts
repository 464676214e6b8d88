import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer } from "effect"
import { Claude } from "../../src/claude/Claude.ts"
import { Settings } from "../../src/Settings.ts"
import { ask } from "../testing/simulatorSupport.ts"
import { baseUrl, overSocket } from "./sockets.ts"

const withEnvironment = (env: Record<string, string>) =>
  Claude.layer.pipe(Layer.provide(Settings.layer), Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))

describe("Claude.layer", () => {
  it.live("asks ANTHROPIC_BASE_URL when there is a key", () =>
    Effect.gen(function* () {
      const url = yield* baseUrl
      const claude = yield* Effect.provide(Claude, withEnvironment({ ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: url }))
      assert.strictEqual(claude.kind, "anthropic")
    }).pipe(Effect.provide(overSocket()))
  )

  it.live("takes long answers that are not streamed", () =>
    Effect.gen(function* () {
      const { message } = yield* Claude.use((claude) => claude.send(ask("[[tokens:40000]]", { max_tokens: 128_000 })))
      assert.strictEqual(message.usage.output_tokens, 40_000)
    }).pipe(Effect.provide(overSocket()))
  )

  it.effect("lets the simulator answer without a key", () =>
    Effect.gen(function* () {
      const claude = yield* Claude
      assert.strictEqual(claude.kind, "simulator")
      assert.strictEqual((yield* claude.send(ask("hello"))).status, 200)
    }).pipe(Effect.provide(withEnvironment({})))
  )
})
