import { Effect, Layer, Option, References } from "effect"
import { Command, GlobalFlag } from "effect/cli"
import { lazy } from "./lazy.ts"
import { whileAsked } from "./whileAsked.ts"

const app = () =>
  Promise.all([import("../App.ts"), import("../http/Server.ts"), import("../observability/Telemetry.ts")])

const service = Layer.unwrap(
  lazy(app, ([App, Server, { layerLogs }]) =>
    Effect.succeed(
      Layer.merge(Layer.effectDiscard(App.announceUpstream), Server.layer).pipe(
        Layer.provide(App.layerNoDeps),
        Layer.provide(layerLogs)
      )
    )
  )
)

/** `--log-level` is said for this start, LOG_LEVEL for all: the flag wins. */
const flagged = <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.flatMap(
    GlobalFlag.LogLevel,
    Option.match({
      onNone: () => self,
      onSome: (level) => Effect.provideService(self, References.MinimumLogLevel, level)
    })
  )

// Settings first: what is wrong with them is said before anything else is loaded or opened. Then the database opens in
// its thread while the rest is loaded; it is the same layer as the one inside, so it opens once.
const start = lazy(
  () => Promise.all([import("../Settings.ts"), import("../observability/Logging.ts")]),
  ([{ Settings, settingsReport }, { layerLogging }]) =>
    Effect.gen(function* () {
      const settings = yield* Settings
      yield* Effect.logInfo(["Settings:", ...settingsReport(settings)].join("\n  "))
      return yield* lazy(
        () => import("../chat/Database.ts"),
        ({ Database }) => whileAsked(Layer.launch(Layer.merge(Database.layer, service)))
      )
    }).pipe(flagged, Effect.provide(layerLogging.pipe(Layer.provideMerge(Settings.layer))))
)

/** Runs the service until SIGTERM or SIGINT, then drains and exits 0. */
export const serve = Command.make("serve", {}, () => start).pipe(
  Command.withDescription("Run the service on HOST and PORT. Every setting is an environment variable."),
  Command.withExamples([
    { command: "sluice serve", description: "On 127.0.0.1:9403, with an embedded database in .sluice" },
    { command: "PORT=8080 ANTHROPIC_API_KEY=… sluice serve", description: "On another port, against the real API" }
  ])
)
