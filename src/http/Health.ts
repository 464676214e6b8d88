import { Clock, Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { ChatRepo } from "../chat/ChatRepo.ts"
import { Claude } from "../claude/Claude.ts"
import { TokenRateLimiter } from "../limits/TokenRateLimiter.ts"
import { Settings } from "../Settings.ts"
import { Api } from "./Api.ts"
import { version } from "./version.ts"

const ok = (detail: string) => ({ status: "ok" as const, detail })

/** Longer than any healthy query takes, shorter than a load balancer waits. */
const databasePatience = "2 seconds"

const checkDatabase = (chat: ChatRepo["Service"], name: string) =>
  chat.list({ limit: 1 }).pipe(
    Effect.timeoutOption(databasePatience),
    Effect.map(
      Option.match({
        onNone: () => ({ status: "failed" as const, detail: `${name} does not answer` }),
        onSome: () => ok(name)
      })
    ),
    Effect.catch((error) =>
      Effect.as(Effect.logWarning(error.message), {
        status: "failed" as const,
        detail: `${name} answers with an error`
      })
    )
  )

const limiterUse = (limiter: TokenRateLimiter["Service"]) =>
  Effect.map(limiter.stats, (stats) => ({
    enabled: stats.enabled,
    used: stats.used,
    limit: stats.limit,
    percent: stats.percent,
    resets: stats.resetsInMillis,
    inFlight: stats.inFlight,
    queued: stats.queue.length
  }))

export const layer = HttpApiBuilder.group(
  Api,
  "system",
  Effect.fn(function* (handlers) {
    const [settings, chat, limiter, claude] = yield* Effect.all([Settings, ChatRepo, TokenRateLimiter, Claude])
    const started = yield* Clock.currentTimeMillis
    const databaseName = Option.isSome(settings.databaseUrl) ? "Postgres" : "embedded database"
    const redis = { status: "off" as const, detail: "in-process" }
    const upstream = ok(claude.kind)

    const health = Effect.gen(function* () {
      const [database, rateLimiter, now] = yield* Effect.all(
        [checkDatabase(chat, databaseName), limiterUse(limiter), Clock.currentTimeMillis],
        { concurrency: "unbounded" }
      )
      const uptimeSeconds = (now - started) / 1000
      const rest = { version, uptimeSeconds, checks: { database, redis, upstream }, rateLimiter }
      return database.status === "ok" ? { status: "ok" as const, ...rest } : { status: "failed" as const, ...rest }
    })
    return handlers.handle("health", () => health)
  })
)
