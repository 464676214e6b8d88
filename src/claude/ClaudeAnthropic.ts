import { Effect, type Scope } from "effect"
import { overWire } from "./ClaudeOverWire.ts"
import type { ClaudeService } from "./ClaudeService.ts"
import type { SdkOptions } from "./SdkWire.ts"

/** `Claude` over sockets. The SDK is loaded here, so that a start without a key does not wait for it. */
export const makeAnthropic = (options: SdkOptions): Effect.Effect<ClaudeService, never, Scope.Scope> =>
  Effect.promise(() => Promise.all([import("./SdkWire.ts"), import("./ForwardWire.ts")])).pipe(
    Effect.flatMap(([{ makeSdkWire }, { makeForwardWire }]) =>
      Effect.flatMap(makeSdkWire(options), (sdk) => makeForwardWire(sdk, options))
    ),
    Effect.map(overWire)
  )
