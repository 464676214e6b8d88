import type { Model } from "../models/ModelCatalog.ts"
import type { GovernorError } from "./Governed.ts"

/**
 * Why another model may still have room, as a sentence: upstream limits and overload go by model. Undefined for everything
 * else, a spend limit too: that belongs to the organisation, whatever the model.
 */
export const noRoom = (error: GovernorError, model: Model): string | undefined => {
  if (error._tag !== "ClaudeError") return undefined
  const { reason } = error
  switch (reason._tag) {
    case "Overloaded":
      return `Upstream is overloaded on ${model.id}.`
    case "RateLimited":
      return reason.kind === "spend" ? undefined : `Upstream's rate limit is reached on ${model.id}.`
    case "CircuitOpen":
      return reason.because === "spend" ? undefined : `Upstream's circuit is open for ${model.family}.`
    default:
      return undefined
  }
}
