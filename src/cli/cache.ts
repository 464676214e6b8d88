import { Console, Effect } from "effect"
import { Command } from "effect/cli"
import { lazy } from "./lazy.ts"
import { url } from "./url.ts"

const client = () => import("./client.ts")

const stats = Command.make("stats", { url }, ({ url }) =>
  lazy(client, ({ ask }) => ask(url, (api) => api.metrics.cache())).pipe(
    Effect.flatMap((metrics) => Console.log(JSON.stringify(metrics, null, 2)))
  )
).pipe(Command.withDescription("Print what /api/metrics/cache tells, as JSON"))

const clear = Command.make("clear", { url }, ({ url }) =>
  lazy(client, ({ ask }) => ask(url, (api) => api.cache.clear())).pipe(
    Effect.flatMap(({ cleared }) => Console.log(`${cleared} entries dropped.`))
  )
).pipe(Command.withDescription("Drop every cached answer"))

/** Looks at and clears the response cache of a running service. */
export const cache = Command.make("cache").pipe(
  Command.withDescription("The response cache of a running service"),
  Command.withSubcommands([stats, clear])
)
