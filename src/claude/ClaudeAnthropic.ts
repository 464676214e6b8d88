import { Effect, type Scope } from "effect"
import { overWire } from "./ClaudeOverWire.ts"
import type { ClaudeService } from "./ClaudeService.ts"
import type { SdkOptions } from "./SdkWire.ts"

/** `Claude` over sockets. The SDK is loaded here, so that a start without a key does not wait for it. */
export const makeAnthropic = (options: SdkOptions): Effect.Effect<ClaudeService, never, Scope.Scope> =>
  Effect.promise(() => import("./SdkWire.ts")).pipe(
    Effect.flatMap(({ makeSdkWire }) => makeSdkWire(options)),
    Effect.map(overWire)
  )
