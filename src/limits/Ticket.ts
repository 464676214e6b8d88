import type { Caller } from "../domain/Caller.ts"
import type { Place } from "./Backlog.ts"
import type { Load, UpstreamClass } from "./UpstreamClass.ts"

/** What a request asks for, in tokens. */
export interface Ask {
  readonly model: string
  readonly caller: Caller
  readonly inputTokens: number
  readonly outputTokens: number
  /** Whose key pays: see `ReserveRequest`. */
  readonly account?: string | undefined
}

export interface Refusal {
  readonly reason: "TooLarge" | "QueueFull"
  readonly message: string
}

/** One request on its way through the limiter. */
export interface Ticket {
  readonly id: number
  readonly model: string
  readonly upstream: UpstreamClass
  readonly tenant: string
  readonly load: Load
  readonly arrivedAt: number
  place: Place<Ticket> | undefined
  state: "waiting" | "admitted" | "settled" | "closed"
  admittedAt: number
  inputMark: number
  outputMark: number
  /** Called when the state changes while somebody waits for it. */
  notify: (() => void) | undefined
  /** Why it was refused after it had waited. */
  refusal: Refusal | undefined
}

export const makeTicket = (
  given: Pick<Ticket, "id" | "model" | "upstream" | "tenant" | "load" | "arrivedAt">
): Ticket => ({
  ...given,
  place: undefined,
  state: "waiting",
  admittedAt: 0,
  inputMark: 0,
  outputMark: 0,
  notify: undefined,
  refusal: undefined
})
