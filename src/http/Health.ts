import { Clock, Effect, Option } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Database } from "../chat/Database.ts"
import { Claude } from "../claude/Claude.ts"
import { TokenRateLimiter } from "../limits/TokenRateLimiter.ts"
import { version } from "../version.ts"
import { Api } from "./Api.ts"

const ok = (detail: string) => ({ status: "ok" as const, detail })

/** Longer than any healthy query takes, shorter than a load balancer waits. */
const databasePatience = "2 seconds"

const failed = (detail: string) => ({ status: "failed" as const, detail })

const checkDatabase = ({ check, kind }: Database["Service"]) =>
  check.pipe(
    Effect.timeoutOption(databasePatience),
    Effect.map(Option.match({ onNone: () => failed(`${kind}: no answer`), onSome: () => ok(kind) })),
    Effect.catch((error) => Effect.as(Effect.logWarning(error.message), failed(`${kind}: answers with an error`)))
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
    const [database, limiter, claude] = yield* Effect.all([Database, TokenRateLimiter, Claude])
    const started = yield* Clock.currentTimeMillis
    const redis = { status: "off" as const, detail: "in-process" }
    const checkUpstream = Effect.map(claude.failing ?? Effect.succeed([]), (families) =>
      families.length === 0 ? ok(claude.kind) : failed(`${claude.kind}: fails for ${families.join(", ")}`)
    )

    const health = Effect.gen(function* () {
      const [storage, upstream, rateLimiter, now] = yield* Effect.all(
        [checkDatabase(database), checkUpstream, limiterUse(limiter), Clock.currentTimeMillis],
        { concurrency: "unbounded" }
      )
      const uptimeSeconds = (now - started) / 1000
      const rest = { version, uptimeSeconds, checks: { database: storage, redis, upstream }, rateLimiter }
      return storage.status === "ok" ? { status: "ok" as const, ...rest } : { status: "failed" as const, ...rest }
    })
    return handlers.handle("health", () => health)
  })
)
