import { Effect } from "effect"
import { overWire } from "./ClaudeOverWire.ts"
import type { ClaudeService } from "./ClaudeService.ts"
import { Wire } from "./Wire.ts"

/** `Claude` over whatever `Wire` is provided. */
export const makeSimulated: Effect.Effect<ClaudeService, never, Wire> = Effect.map(Wire, overWire)
