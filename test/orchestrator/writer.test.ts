import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { SummaryWriter } from "../../src/context/SummaryWriter.ts"
import type { Caller } from "../../src/domain/Caller.ts"
import type { MessagesRequest } from "../../src/domain/MessagesRequest.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { zero } from "../../src/domain/Usage.ts"
import { Governor, type RunOptions } from "../../src/governor/Governor.ts"
import { layerGovernedWriter } from "../../src/orchestrator/GovernedWriter.ts"
import { Settings } from "../../src/Settings.ts"

const summary = { intents: ["Fix it"], constraints: [], decisions: [], agents: [], outcomes: [], openQuestions: [] }

interface Asked {
  readonly request: MessagesRequest
  readonly caller: Caller
  readonly options: RunOptions | undefined
}

const answering = (text: string, stop: string, asked: Array<Asked> = []) =>
  layerGovernedWriter.pipe(
    Layer.provide(
      Layer.mock(Governor, {
        run: (request, caller, options) =>
          Effect.sync(() => {
            asked.push({ request, caller, options })
            return {
              message: {
                id: "m",
                type: "message",
                role: "assistant",
                model: request.model,
                content: [{ type: "text", text }],
                stop_reason: stop,
                usage: {}
              },
              headers: {},
              settlement: {
                requestId: "r",
                model: request.model,
                usage: zero,
                costNanoUsd: nanoUsd(0),
                savedNanoUsd: nanoUsd(0),
                cache: "miss",
                queueMillis: 0,
                upstreamMillis: 0,
                partial: false
              }
            } as const
          })
      })
    ),
    Layer.provide(Settings.layerWith({}))
  )

const write = SummaryWriter.use((writer) => writer.write({ conversation: "c", source: "…", words: 200 }))

describe("summaries through the Governor", () => {
  it.effect("asks the summary model at background priority, under a name of its own, past the cache", () => {
    const asked: Array<Asked> = []
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* write, summary)
      const [only] = asked
      assert.strictEqual(only?.request.model, "claude-haiku-5-5")
      assert.deepInclude(only?.caller, {
        agent: "summarizer",
        priority: "background",
        task: "summary",
        conversation: "c"
      })
      assert.strictEqual(only?.options?.cache, "off")
    }).pipe(Effect.provide(answering(JSON.stringify(summary), "end_turn", asked)))
  })

  it.effect("reads JSON out of a fence", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* write, summary)
    }).pipe(Effect.provide(answering(`\`\`\`json\n${JSON.stringify(summary)}\n\`\`\``, "end_turn")))
  )

  for (const [text, stop] of [
    ["I cannot help with that.", "end_turn"],
    ['{"intents": ["half', "max_tokens"],
    ["", "refusal"],
    ['{"intents": "no list"}', "end_turn"]
  ] as const) {
    it.effect(`takes nothing else for a summary: ${stop} ${text}`, () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* Effect.flip(write))._tag, "NotWritten")
      }).pipe(Effect.provide(answering(text, stop)))
    )
  }
})
