import { Effect, Layer } from "effect"
import type { Event } from "../domain/Event.ts"
import { toUsd } from "../domain/Money.ts"
import { Events, type Sequenced } from "../events/Events.ts"
import { Settings, type SettingsShape } from "../Settings.ts"

type UsageEvent = Extract<Event, { readonly _tag: "Usage" }>

const fieldsOf = (event: UsageEvent) => ({
  requestId: event.requestId,
  tenant: event.tenant,
  agent: event.agent,
  ...(event.conversation === null ? {} : { conversation: event.conversation }),
  model: event.model,
  status: event.status,
  cache: event.cache,
  inputTokens: event.usage.input,
  cacheWriteTokens: event.usage.cacheWrite5m + event.usage.cacheWrite1h,
  cacheReadTokens: event.usage.cacheRead,
  outputTokens: event.usage.output,
  costUsd: toUsd(event.costNanoUsd),
  queueMillis: event.queueMillis,
  upstreamMillis: event.upstreamMillis
})

const lineOf =
  (level: Exclude<SettingsShape["requestLogLevel"], "off">) =>
  ({ event }: Sequenced): Effect.Effect<void> => {
    if (event._tag !== "Usage") return Effect.void
    const log = level === "info" ? Effect.logInfo : Effect.logDebug
    return Effect.annotateLogs(log("Request"), fieldsOf(event))
  }

/** One line for each governed request, after it is settled, at REQUEST_LOG_LEVEL. Needs Settings and Events. */
export const layerRequestLog = Layer.effectDiscard(
  Effect.gen(function* () {
    const { requestLogLevel } = yield* Settings
    const { watch } = yield* Events
    if (requestLogLevel === "off") return
    const run = Effect.runForkWith(yield* Effect.context<never>())
    const line = lineOf(requestLogLevel)
    yield* watch((entry) => {
      if (entry.event._tag === "Usage") run(line(entry))
    })
  })
)
