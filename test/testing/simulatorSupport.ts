import { Effect, Fiber, Layer, Stream } from "effect"
import { Claude } from "../../src/claude/Claude.ts"
import type { Message } from "../../src/domain/Message.ts"
import type { MessagesRequest, StreamEvent } from "../../src/domain/MessagesRequest.ts"
import { Simulator, type SimulatorOptions } from "../../src/testing/simulator/Simulator.ts"

export const simulated = (options: SimulatorOptions = {}) =>
  Claude.layerSimulatedNoDeps.pipe(Layer.provideMerge(Simulator.layerWith(options)))

export const user = (content: Message["content"]): Message => ({ role: "user", content })

export const ask = (content: Message["content"], extra: Readonly<Record<string, unknown>> = {}): MessagesRequest => ({
  model: "claude-sonnet-5-5",
  max_tokens: 1_000,
  messages: [user(content)],
  ...extra
})

/** About `n` tokens of text on a new-tokenizer model. */
export const words = (n: number): string => "word ".repeat(Math.ceil(n / 1.52)).trim()

export const marked = (text: string, ttl?: "1h") => ({
  type: "text",
  text,
  cache_control: ttl === undefined ? { type: "ephemeral" } : { type: "ephemeral", ttl }
})

export const collect = (request: MessagesRequest) =>
  Effect.scoped(
    Effect.gen(function* () {
      const claude = yield* Claude
      const { events } = yield* claude.stream(request)
      return yield* Stream.runCollect(events)
    })
  )

export const typesOf = (events: ReadonlyArray<StreamEvent>): ReadonlyArray<string> => events.map((event) => event.type)

/** Runs in the background so that the test can turn the clock. */
export const inBackground = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.forkChild(effect, { startImmediately: true }), (fiber) => Fiber.join(fiber))
