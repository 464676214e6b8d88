import { Console, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { lazy } from "./lazy.ts"
import { url } from "./url.ts"

const rooms = () => Promise.all([import("./tokensDesk.ts"), import("./tokensText.ts")])

const name = Argument.String("name").pipe(Argument.withDescription("The tenant: what its requests are booked under"))

const optional = <A>(flag: Flag.Flag<A>, description: string) =>
  flag.pipe(Flag.withDescription(description), Flag.optional)

const given = <A>(key: string, value: Option.Option<A>): Record<string, A> =>
  Option.isSome(value) ? { [key]: value.value } : {}

const flags = {
  name,
  agent: optional(Flag.String("agent"), "Who asks, when a request does not say"),
  priority: optional(
    Flag.Literals("priority", ["interactive", "normal", "background"]),
    "The default priority, and the highest that may be asked for"
  ),
  budget: optional(Flag.Finite("budget"), "Dollars a day"),
  share: optional(Flag.Finite("share"), "Weight in the queue against other tenants; 1 by default"),
  url
}

const add = Command.make("add", flags, ({ agent, budget, name, priority, share, url }) =>
  lazy(rooms, ([{ desk }]) =>
    Effect.gen(function* () {
      const { token } = yield* desk(url).add({
        name,
        ...given("agent", agent),
        ...given("priority", priority),
        ...given("dailyBudgetUsd", budget),
        ...given("share", share)
      })
      yield* Console.error(`The token of ${name}. It is shown here and never again:`)
      yield* Console.log(token)
    })
  )
).pipe(
  Command.withDescription("Make a token; it is printed once and kept nowhere"),
  Command.withExamples([
    { command: "sluice tokens add acme", description: "For a tenant" },
    { command: "sluice tokens add night --priority background --budget 5 --share 0.5", description: "With limits" }
  ])
)

const json = Flag.Boolean("json").pipe(Flag.withDescription("Print everything as JSON"), Flag.withDefault(false))

const list = Command.make("list", { json, url }, ({ json, url }) =>
  lazy(rooms, ([{ desk }, { asText }]) =>
    Effect.flatMap(desk(url).list, (grants) => Console.log(json ? JSON.stringify(grants, null, 2) : asText(grants)))
  )
).pipe(Command.withDescription("Print who has a token; never the tokens"))

const revoke = Command.make("revoke", { name, url }, ({ name, url }) =>
  lazy(rooms, ([{ desk }]) => Effect.andThen(desk(url).revoke(name), Console.log(`The token of ${name} is revoked.`)))
).pipe(Command.withDescription("End a token at once"))

/** Who may use the gateway. Asks the running service; without one, the database itself. */
export const tokens = Command.make("tokens").pipe(
  Command.withDescription("The gateway's tokens, in a running service or in the database"),
  Command.withSubcommands([add, list, revoke])
)
