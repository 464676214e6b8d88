import { Effect, Option } from "effect"
import { ChatRepo } from "../chat/ChatRepo.ts"
import { type Caller, defaultCaller } from "../domain/Caller.ts"

/**
 * Who asks for summaries: an agent name of its own, so that budgets and reports can tell them from the work itself, in
 * the name of who is said to pay, or else of the stored conversation's tenant.
 */
export const summarizerCallers = Effect.gen(function* () {
  const repo = yield* Effect.serviceOption(ChatRepo)
  const tenantOf = (conversation: string): Effect.Effect<string> =>
    Option.match(repo, {
      onNone: () => Effect.succeed(defaultCaller.tenant),
      onSome: ({ get }) =>
        get(conversation).pipe(
          Effect.map(({ tenant }) => tenant),
          Effect.orElseSucceed(() => defaultCaller.tenant)
        )
    })
  return (conversation: string, payer?: string): Effect.Effect<Caller> =>
    Effect.map(payer === undefined ? tenantOf(conversation) : Effect.succeed(payer), (tenant) => ({
      tenant,
      agent: "summarizer",
      conversation,
      priority: "background",
      task: "summary"
    }))
})
