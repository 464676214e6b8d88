import { Effect } from "effect"
import { ChatRepo } from "../chat/ChatRepo.ts"
import type { StoredMessage } from "../domain/Conversation.ts"
import { Settings } from "../Settings.ts"
import { TokenEstimator } from "../tokens/TokenEstimator.ts"
import type { ContextService } from "./ContextService.ts"
import { requestOf } from "./Prepared.ts"
import type { PreparedContext, Shell } from "./PreparedContext.ts"
import { readFrom, statsOf, trimmer } from "./reading.ts"

/** Histories as they are stored. */
export const makeUntouched = Effect.gen(function* () {
  const repo = yield* ChatRepo
  const estimator = yield* TokenEstimator
  const settings = yield* Settings

  const prepare = Effect.fn("ContextManager.prepare")(function* (id: string, shell: Shell) {
    const stored: Array<StoredMessage> = []
    yield* readFrom(repo, id, 0, (page) => stored.push(...page))
    const messages = stored.map(({ content, role }) => ({ role, content }))
    const { tokens, upperBound } = estimator.estimate(requestOf(shell, messages))
    const prepared: PreparedContext = {
      messages,
      system: shell.system,
      tools: shell.tools,
      entries: stored.map((m) => ({ band: "recent", from: m.seq, to: m.seq + 1, tokens: m.tokens, segment: false })),
      estimatedTokens: tokens,
      upperBound,
      rawMessages: stored.length,
      rawTokens: tokens,
      cacheControl: undefined,
      longLived: false,
      breakpoints: [],
      betas: [],
      compaction: undefined,
      decision: { compact: false, reason: "context management is off", savesNanoUsd: 0 }
    }
    return prepared
  })

  const service: ContextService = {
    prepare,
    preview: prepare,
    appended: () => Effect.void,
    settled: () => Effect.void,
    repair: () => Effect.succeed(false),
    pin: () => Effect.void,
    unpin: () => Effect.void,
    pins: () => Effect.succeed([]),
    lastSummary: () => Effect.undefined,
    stats: (id) =>
      Effect.map(prepare(id, { model: settings.orchestratorModel }), (prepared) =>
        statsOf(id, prepared, settings.maxContextTokens, 0)
      ),
    trimToLimit: trimmer(estimator)
  }
  return service
})
