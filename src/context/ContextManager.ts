import { Context, Effect, Layer } from "effect"
import type { ChatRepo } from "../chat/ChatRepo.ts"
import type { Events } from "../events/Events.ts"
import type { ModelCatalog } from "../models/ModelCatalog.ts"
import type { Settings } from "../Settings.ts"
import type { TokenEstimator } from "../tokens/TokenEstimator.ts"
import type { ContextService } from "./ContextService.ts"
import { makeManaged } from "./ManagedContext.ts"
import type { Summarizer } from "./Summarizer.ts"
import { makeUntouched } from "./UntouchedContext.ts"

export type { ContextStats, LastSummary } from "./ContextService.ts"
export { MessageNotFound, TooManyPins } from "./Pins.ts"
export { type ContextEntry, ContextTooLarge, type PreparedContext, type Shell } from "./PreparedContext.ts"

/** Keeps a conversation's context small, stable and legal. Guarantees: docs/architecture.md, invariants 2 to 4. */
export class ContextManager extends Context.Service<ContextManager, ContextService>()("sluice/context/ContextManager") {
  static readonly layer: Layer.Layer<
    ContextManager,
    never,
    ChatRepo | TokenEstimator | Summarizer | ModelCatalog | Settings | Events
  > = Layer.effect(
    ContextManager,
    Effect.suspend(() => makeManaged)
  )

  /** CONTEXT_ENABLED=false: the whole history, as it is stored, without breakpoints of our own. */
  static readonly layerOff: Layer.Layer<ContextManager, never, ChatRepo | TokenEstimator | Settings> = Layer.effect(
    ContextManager,
    Effect.suspend(() => makeUntouched)
  )
}
