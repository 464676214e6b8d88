import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import type { Priority } from "../domain/Caller.ts"
import { nanoUsd } from "../domain/Money.ts"
import { type Grant, TokensUnavailable } from "./Grant.ts"

/** A grant with the digest of its token. */
export interface Entry {
  readonly digest: string
  readonly grant: Grant
}

/** Where tokens are kept. */
export interface TokenStore {
  readonly all: Effect.Effect<ReadonlyArray<Entry>, TokensUnavailable>
  /** Answers false when the name is taken. */
  readonly insert: (entry: Entry) => Effect.Effect<boolean, TokensUnavailable>
  /** Answers false when there was none. */
  readonly remove: (name: string) => Effect.Effect<boolean, TokensUnavailable>
}

export const makeMemoryStore = (): TokenStore => {
  const entries = new Map<string, Entry>()
  return {
    all: Effect.sync(() => [...entries.values()]),
    insert: (entry) =>
      Effect.sync(() => {
        if (entries.has(entry.grant.name)) return false
        entries.set(entry.grant.name, entry)
        return true
      }),
    remove: (name) => Effect.sync(() => entries.delete(name))
  }
}

interface Row {
  readonly name: string
  readonly digest: string
  readonly agent: string | null
  readonly priority: Priority | null
  readonly budget: number | null
  readonly share: number
  readonly created: number
}

const entryOf = ({ agent, budget, created, digest, name, priority, share }: Row): Entry => ({
  digest,
  grant: {
    name,
    agent,
    priority,
    dailyBudgetNanoUsd: budget === null ? null : nanoUsd(budget),
    share,
    source: "database",
    createdAt: created
  }
})

const failing =
  (operation: string) =>
  <A>(effect: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, TokensUnavailable> =>
    effect.pipe(
      // A connection that is lost inside a statement dies in the client; here it is a failure like any other.
      Effect.catchDefect((defect) => Effect.fail({ message: String(defect) })),
      Effect.mapError((error) => new TokensUnavailable({ operation, reason: error.message }))
    )

export const makeSqlStore: Effect.Effect<TokenStore, never, SqlClient.SqlClient> = Effect.map(
  SqlClient.SqlClient,
  (sql) => ({
    all: sql<Row>`SELECT name, digest, agent, priority, budget::float8 AS budget, share,
      created::float8 AS created FROM tokens ORDER BY name`.pipe(
      Effect.map((rows) => rows.map(entryOf)),
      failing("read")
    ),
    insert: ({ digest, grant }) =>
      sql<{ readonly name: string }>`INSERT INTO tokens (name, digest, agent, priority, budget, share, created)
        VALUES (${grant.name}, ${digest}, ${grant.agent}, ${grant.priority}, ${grant.dailyBudgetNanoUsd},
          ${grant.share}, ${grant.createdAt})
        ON CONFLICT (name) DO NOTHING RETURNING name`.pipe(
        Effect.map((rows) => rows.length > 0),
        failing("written")
      ),
    remove: (name) =>
      sql<{ readonly name: string }>`DELETE FROM tokens WHERE name = ${name} RETURNING name`.pipe(
        Effect.map((rows) => rows.length > 0),
        failing("written")
      )
  })
)
