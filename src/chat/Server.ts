import { PgClient } from "@effect/sql-pg"
import { Effect, Predicate, Redacted } from "effect"
import type { SqlError } from "effect/sql/SqlError"
import { DatabaseUnavailable } from "./DatabaseUnavailable.ts"
import { reasonOf } from "./SqlReason.ts"

/** "postgres://host:port/database", without user, password and parameters. */
export const location = (url: Redacted.Redacted): string => {
  const parsed = URL.parse(Redacted.value(url))
  return parsed === null ? "DATABASE_URL" : `${parsed.protocol}//${parsed.host}${parsed.pathname}`
}

const secretsOf = (url: Redacted.Redacted): ReadonlyArray<string> => {
  const parsed = URL.parse(Redacted.value(url))
  const passwords = [parsed?.password, parsed?.searchParams.get("password")].filter(Predicate.isNotNullish)
  return [Redacted.value(url), ...passwords, ...passwords.map(decode)].filter((secret) => secret !== "")
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const advice = (reason: string): string => {
  if (/URL|protocol/.test(reason)) return "Write DATABASE_URL as postgres://user:password@host:5432/database"
  if (/authentication|password|role/i.test(reason)) return "Check the user and password in DATABASE_URL"
  if (/does not exist/.test(reason)) return "Create that database, or name an existing one in DATABASE_URL"
  return "Start Postgres there, correct DATABASE_URL, or leave it out to use the embedded database"
}

/** Says what is wrong without a secret in it. */
export const unavailable = (url: Redacted.Redacted) => (error: SqlError) => {
  const reason = secretsOf(url).reduce((text, secret) => text.replaceAll(secret, "…"), reasonOf(error))
  return new DatabaseUnavailable({ database: location(url), reason, advice: advice(reason) })
}

/** A PgClient on a Postgres server that has answered once. */
export const make = (url: Redacted.Redacted, config: PgClient.PgClientConfig) =>
  Effect.mapError(open(url, config), unavailable(url))

const open = Effect.fnUntraced(function* (url: Redacted.Redacted, config: PgClient.PgClientConfig) {
  const client = yield* PgClient.make({
    ...config,
    url,
    applicationName: "sluice",
    startupParameters: {
      statement_timeout: "30000",
      lock_timeout: "15000",
      idle_in_transaction_session_timeout: "30000"
    }
  })
  yield* client`SELECT 1`
  return client
})
