import { Effect, Layer, Stream } from "effect"
import { Events, type Sequenced } from "./Events.ts"

const line = ({ event }: Sequenced): Effect.Effect<void> => {
  if (event._tag === "AlertCleared") return Effect.logInfo(`Over: ${event.alert.kind}. ${event.alert.message}`)
  if (event._tag !== "AlertRaised") return Effect.void
  const text = `Alert: ${event.alert.kind}. ${event.alert.message}`
  switch (event.alert.severity) {
    case "info":
      return Effect.logInfo(text)
    case "warning":
      return Effect.logWarning(text)
    case "critical":
      return Effect.logError(text)
  }
}

/** A line in the log when an alert begins and when it ends. Needs Events. */
export const layerAlertLog = Layer.effectDiscard(
  Effect.gen(function* () {
    const { listenFor } = yield* Events
    const alerts = yield* listenFor(({ _tag }) => _tag === "AlertRaised" || _tag === "AlertCleared")
    yield* Effect.forkScoped(Stream.runForEach(alerts, line))
  })
)
