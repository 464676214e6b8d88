import { Context, type Duration } from "effect"

/** How long a stream's client is left without a sign of life while its request waits. */
export interface PatienceShape {
  /** Until the response begins anyway; what fails before still has a status of its own. */
  readonly quiet: Duration.Input
  /** From then on a comment this often: load balancers close what is silent for a minute. */
  readonly aliveEvery: Duration.Input
}

export const Patience = Context.Reference<PatienceShape>("sluice/http/gateway/Patience", {
  defaultValue: () => ({ quiet: "5 seconds", aliveEvery: "10 seconds" })
})
