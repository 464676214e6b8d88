import { Effect } from "effect"
import { ChatRepo } from "../chat/ChatRepo.ts"
import type { StoredMessage } from "../domain/Conversation.ts"
import { Event } from "../domain/Event.ts"
import type { Usage } from "../domain/Usage.ts"
import { Events } from "../events/Events.ts"
import { Settings } from "../Settings.ts"
import { TokenEstimator } from "../tokens/TokenEstimator.ts"
import type { ContextService } from "./ContextService.ts"
import { compactionEvent } from "./compactionEvent.ts"
import { type Held, makeHeldContexts } from "./HeldContexts.ts"
import * as Layout from "./Layout.ts"
import { MessageNotFound, pinned, pinsOf } from "./Pins.ts"
import { requestOf } from "./Prepared.ts"
import type { PreparedContext, Shell } from "./PreparedContext.ts"
import { statsOf, trimmer } from "./reading.ts"
import * as Standing from "./Standing.ts"

/** Contexts of conversations, prepared by the policy and kept across restarts. */
export const makeManaged = Effect.gen(function* () {
  const repo = yield* ChatRepo
  const estimator = yield* TokenEstimator
  const settings = yield* Settings
  const events = yield* Events
  const { catchUp, find, peek, save, weigh } = yield* makeHeldContexts
  const bare: Shell = { model: settings.orchestratorModel }

  const warnOfShell = (state: Held, id: string, prepared: PreparedContext, shell: Shell) => {
    const own = estimator.estimate(requestOf(shell, [])).tokens
    if (state.warned || own * 2 < settings.maxContextTokens) return Effect.void
    state.warned = true
    const message = `System prompt and tools take ${own} of ${settings.maxContextTokens} tokens in conversation ${id}: shorten them or raise MAX_CONTEXT_TOKENS.`
    return events.publish(
      Event.cases.AlertRaised.make({
        alert: { kind: "context_overhead", severity: "warning", message, subject: `${id} (${prepared.upperBound})` }
      })
    )
  }

  const prepare = Effect.fn("ContextManager.prepare")(function* (id: string, shell: Shell) {
    const state = yield* find(id)
    return yield* state.lock.withPermits(1)(
      Effect.gen(function* () {
        yield* catchUp(state, id, shell.model)
        const prepared = yield* state.context.prepare(shell)
        weigh(id, state)
        yield* save(id, state)
        if (prepared.compaction !== undefined)
          yield* events.publish(compactionEvent(id, prepared, state.context.rhythm.lastTokens))
        yield* warnOfShell(state, id, prepared, shell)
        return prepared
      })
    )
  })

  const appended = Effect.fnUntraced(function* (id: string, messages: ReadonlyArray<StoredMessage>) {
    const state = peek(id)
    if (state === undefined) return
    yield* state.lock.withPermits(1)(Effect.sync(() => state.context.append(messages, bare.model)))
  })

  /** Pins are part of the layout, but take effect with the next compaction: until then the prefix stays as it is. */
  const change = <E>(id: string, edit: (standing: Standing.Standing) => Effect.Effect<Standing.Standing, E>) =>
    Effect.flatMap(find(id), (state) =>
      Effect.suspend(() => edit(state.context.layout.upcoming)).pipe(
        Effect.tap((standing) => Effect.sync(() => state.context.restate(() => standing))),
        Effect.andThen(save(id, state)),
        state.lock.withPermits(1)
      )
    )

  const pin = Effect.fn("ContextManager.pin")(function* (id: string, seq: number) {
    const [message] = yield* repo.messages(id, { after: seq - 1, before: seq + 1, limit: 1 })
    if (message === undefined) return yield* new MessageNotFound({ conversation: id, seq })
    yield* change(id, (standing) => pinned(standing, message, id))
  })

  const unpin = Effect.fn("ContextManager.unpin")((id: string, seq: number) =>
    change(id, (standing) => Effect.succeed(Standing.unpin(standing, seq)))
  )

  const pins = (id: string) => Effect.map(find(id), ({ context }) => pinsOf(context.layout.upcoming))

  const lastSummary = (id: string) =>
    Effect.map(find(id), ({ context }) => {
      const newest = Layout.segmentsOf(context.layout).at(-1)
      if (newest === undefined) return undefined
      const { hash: _, ...summary } = newest
      return summary
    })

  const settled = (id: string, usage: Usage) => Effect.sync(() => peek(id)?.context.settled(usage))

  const repair = Effect.fn("ContextManager.repair")(function* (id: string) {
    const state = yield* find(id)
    return yield* state.lock.withPermits(1)(Effect.sync(() => state.context.repair()))
  })

  const looked = Effect.fnUntraced(function* (id: string, shell: Shell) {
    const state = yield* find(id)
    return yield* state.lock.withPermits(1)(
      Effect.map(catchUp(state, id, shell.model), () => ({
        prepared: state.context.preview(shell),
        compactions: state.context.layout.compactions
      }))
    )
  })

  const preview = Effect.fn("ContextManager.preview")((id: string, shell: Shell) =>
    Effect.map(looked(id, shell), ({ prepared }) => prepared)
  )

  const stats = Effect.fn("ContextManager.stats")((id: string) =>
    Effect.map(looked(id, bare), ({ compactions, prepared }) =>
      statsOf(id, prepared, settings.maxContextTokens, compactions)
    )
  )

  const trimToLimit = trimmer(estimator)
  const service: ContextService = {
    settled,
    prepare,
    preview,
    appended,
    pin,
    unpin,
    pins,
    lastSummary,
    repair,
    stats,
    trimToLimit
  }
  return service
})
