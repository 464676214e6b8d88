import { Effect, type Scope } from "effect"
import type { ClaudeError } from "../../claude/ClaudeError.ts"
import type { RelayCall, Relayed, Reply, Whole } from "../../claude/Wire.ts"
import { errorReply } from "./Errors.ts"
import type { SimulatedCall } from "./State.ts"

/** What of the simulator is needed here. */
interface Answering {
  readonly call: (call: SimulatedCall) => Effect.Effect<Reply, ClaudeError, Scope.Scope>
  readonly models: (id?: string) => Whole
}

const encoder = new TextEncoder()

const relayed = ({ body, headers, status }: Whole): Relayed => ({
  status,
  headers: { ...headers, "content-type": "application/json" },
  body: encoder.encode(JSON.stringify(body))
})

const parse = (body: Uint8Array | undefined): Readonly<Record<string, unknown>> => {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body))
    // Every object can be read this way; the simulator says what is wrong with it.
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const modelPath = /^\/v1\/models(?:\/([^/]+))?$/

/** The simulator's routes besides `/v1/messages`, for a gateway in the same process. */
export const relayTo =
  (simulator: Answering) =>
  (call: RelayCall): Effect.Effect<Relayed, ClaudeError> => {
    const model = modelPath.exec(call.path)
    if (model !== null) return Effect.succeed(relayed(simulator.models(model[1])))
    if (call.path !== "/v1/messages/count_tokens") {
      return Effect.succeed(relayed(errorReply(404, `Not found: ${call.path}`, "req_sim_unrouted")))
    }
    const { answerMillis, apiKey, headers } = call
    const counted = { path: call.path, body: parse(call.body), headers, apiKey, answerMillis, idleMillis: answerMillis }
    return Effect.scoped(simulator.call({ ...counted, path: "/v1/messages/count_tokens" })).pipe(
      Effect.map((reply) => relayed(reply._tag === "Whole" ? reply : errorReply(500, "no answer", "req_sim_unrouted")))
    )
  }
