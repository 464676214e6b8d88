import { Context, type Duration, Effect, Exit, type Fiber, Option } from "effect"

/** How long a stream's client is left without a sign of life while its request waits. */
export interface PatienceShape {
  /** Until the response begins anyway; what fails before still has a status of its own. */
  readonly quiet: Duration.Input
  /** From then on a comment this often: load balancers close what is silent for a minute. */
  readonly aliveEvery: Duration.Input
}

export const Patience = Context.Reference<PatienceShape>("sluice/http/gateway/Patience", {
  defaultValue: () => ({ quiet: "5 seconds", aliveEvery: "10 seconds" })
})

/** What the fiber comes to, if it does so in time. It goes on otherwise. `Effect.timeoutOption` does the same with twice the fibers. */
export const inTime = <A, E>(fiber: Fiber.Fiber<A, E>, patience: Duration.Input): Effect.Effect<Option.Option<A>, E> =>
  Effect.contextWith((context: Context.Context<never>) =>
    Effect.callback((resume) => {
      const timer = Effect.runForkWith(context)(Effect.sleep(patience))
      const unwatch = fiber.addObserver((exit) => {
        timer.interruptUnsafe()
        resume(Exit.map(exit, Option.some))
      })
      timer.addObserver((exit) => {
        if (Exit.isFailure(exit)) return
        unwatch()
        resume(Effect.succeedNone)
      })
      return Effect.sync(() => {
        unwatch()
        timer.interruptUnsafe()
      })
    })
  )
