import { Console, Effect } from "effect"
import { Argument, Command } from "effect/cli"
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

const file = Argument.String("file").pipe(
  Argument.withDescription(
    "JSON Lines: a body of POST /v1/messages on each, or {request, tenant, betas, asker} around one"
  )
)

const warm = Command.make("warm", { file, url }, ({ file, url }) =>
  lazy(
    () => Promise.all([client(), import("./warming.ts")]),
    ([{ ask }, { warm }]) => warm(file, (requests) => ask(url, (api) => api.cache.warm({ payload: { requests } })))
  )
).pipe(
  Command.withDescription("Ask what is not cached yet, so that the answers are there"),
  Command.withExamples([{ command: "sluice cache warm requests.jsonl", description: "Every request of a file" }])
)

/** Looks at, clears and warms the response cache of a running service. */
export const cache = Command.make("cache").pipe(
  Command.withDescription("The response cache of a running service"),
  Command.withSubcommands([stats, clear, warm])
)
