import { Effect, type Scope } from "effect"
import { HttpServer } from "effect/http"
import type { Event } from "../../src/domain/Event.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { usage } from "../http/fakes.ts"

type UsageEvent = Extract<Event, { readonly _tag: "Usage" }>

export const request = (event: Partial<UsageEvent> = {}): UsageEvent => ({
  _tag: "Usage",
  requestId: "r1",
  tenant: "default",
  agent: "orchestrator",
  conversation: "c1",
  model: "claude-sonnet-5-5",
  usage,
  rawTokens: 600,
  costNanoUsd: nanoUsd(750_000),
  savedNanoUsd: nanoUsd(0),
  cache: "bypass",
  queueMillis: 20,
  upstreamMillis: 1_500,
  status: "ok",
  ...event
})

/** Where the test's server listens, by a name that only this machine has. */
export const address = HttpServer.addressFormattedWith((url) => Effect.succeed(`http://127.0.0.1:${new URL(url).port}`))

export interface Line {
  readonly received: Array<{ readonly seq?: number; readonly type?: string; readonly event?: Event }>
  readonly closed: () => number | undefined
  readonly socket: WebSocket
}

/** A WebSocket that keeps what it hears; open when this returns. */
export const connect = (url: string, protocols?: ReadonlyArray<string>): Effect.Effect<Line, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Line, Error>((resume) => {
      const socket = new WebSocket(url.replace("http", "ws"), protocols === undefined ? [] : [...protocols])
      const received: Line["received"] = []
      let code: number | undefined
      socket.onmessage = ({ data }) => received.push(JSON.parse(String(data)))
      socket.onclose = (event) => {
        code = event.code
        resume(Effect.fail(new Error(`closed with ${event.code}`)))
      }
      socket.onopen = () => resume(Effect.succeed({ received, closed: () => code, socket }))
    }),
    ({ socket }) => Effect.sync(() => socket.close())
  )

/** Waits, on the real clock, until it is so. */
export const eventually = (what: string, condition: () => boolean): Effect.Effect<void> =>
  Effect.promise(async () => {
    const deadline = performance.now() + 20_000
    while (!condition()) {
      if (performance.now() > deadline) throw new Error(`It never came to this: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })
