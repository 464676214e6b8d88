import { Deferred, Effect } from "effect"
import type { AssistantMessage } from "../domain/MessagesRequest.ts"
import { afresh } from "./afresh.ts"
import type { Settlement } from "./Governed.ts"

/** How a stream ended: what it cost, and the answer if it is whole and may be shown to others. */
export interface Landed {
  readonly settlement: Settlement
  readonly message: AssistantMessage | undefined
}

/** The one end of a stream. */
export interface Landing {
  /** Comes to the end this way, unless another was first: then it waits for that. */
  readonly land: (settle: Effect.Effect<Settlement>, whole?: () => AssistantMessage | undefined) => Effect.Effect<void>
  /** Some way to the end has been taken. */
  readonly isTaken: () => boolean
  readonly landed: Effect.Effect<Landed>
}

/** `onWhole` keeps a whole answer; `onLanded` runs before anybody hears of the end. */
export const makeLanding = (
  onWhole: (message: AssistantMessage) => Effect.Effect<void>,
  onLanded: () => void
): Landing => {
  const end = Deferred.makeUnsafe<Landed>()
  const landed = Deferred.await(end)
  let taken = false

  // Effect.gen, not fnUntraced: that costs more to make than to run, and this runs once.
  const finish = (settle: Effect.Effect<Settlement>, whole: () => AssistantMessage | undefined) =>
    Effect.gen(function* () {
      const settlement = yield* settle
      const message = whole()
      if (message !== undefined) yield* onWhole(message)
      onLanded()
      Deferred.doneUnsafe(end, Effect.succeed({ settlement, message }))
    })

  return {
    land: (settle, whole = () => undefined) =>
      Effect.suspend(() => {
        if (taken) return Effect.asVoid(Effect.uninterruptible(landed))
        taken = true
        return afresh(finish(settle, whole))
      }),
    isTaken: () => taken,
    landed
  }
}
