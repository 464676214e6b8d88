import { Effect } from "effect"
import { SqlClient, type SqlError } from "effect/sql"
import { type NanoUsd, nanoUsd, sum, zero } from "../domain/Money.ts"
import { makeGroupCommit } from "./GroupCommit.ts"
import { type Op, writeBatch } from "./LedgerBatch.ts"
import { type GroupRow, reportOf, totalsOfRow } from "./LedgerRows.ts"
import type { LedgerStore, Rows } from "./LedgerStore.ts"
import { type CostLine, type CostTotals, LedgerError, type LedgerIntent } from "./Records.ts"
import { noTotals, plus } from "./Totals.ts"

interface IntentRow extends Omit<LedgerIntent, "requestId" | "reservedNanoUsd"> {
  readonly id: string
  readonly reserved: number
}

interface SpentRow {
  readonly tenant: string
  readonly agent: string
  readonly conversation: string | null
  readonly model: string
  readonly cost: number
}

const failing =
  (operation: string) =>
  <A>(effect: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, LedgerError> =>
    effect.pipe(
      // A connection that is lost inside a statement dies in the client; to the ledger it is a failure like any other.
      Effect.catchDefect((defect) => Effect.fail({ message: String(defect) })),
      Effect.mapError((error) => new LedgerError({ operation, reason: error.message }))
    )

/** Sums with one-word names, so that no name translation of the client touches them. */
const sums = (sql: SqlClient.SqlClient) =>
  sql.literal(`
  (count(*) FILTER (WHERE part = 0))::float8 AS requests,
  coalesce(sum(input), 0)::float8 AS input,
  coalesce(sum(write_5m), 0)::float8 AS short,
  coalesce(sum(write_1h), 0)::float8 AS long,
  coalesce(sum(cache_read), 0)::float8 AS read,
  coalesce(sum(output), 0)::float8 AS output,
  coalesce(sum(raw_tokens), 0)::float8 AS raw,
  coalesce(sum(cost), 0)::float8 AS cost,
  coalesce(sum(saved_cache), 0)::float8 AS cache,
  coalesce(sum(saved_context), 0)::float8 AS context,
  coalesce(sum(saved_routing), 0)::float8 AS routing`)

const addedUp = `
  sum(requests) AS requests, sum(input) AS input, sum(short) AS short, sum(long) AS long, sum(read) AS read,
  sum(output) AS output, sum(raw) AS raw, sum(cost) AS cost, sum(cache) AS cache, sum(context) AS context,
  sum(routing) AS routing`

/** One pass over the range; `level` tells which of the five columns a group is about, a bit for each that it is not. */
const report = (
  sql: SqlClient.SqlClient,
  { from, groups, tenant, to }: { from: string; to: string; groups: number; tenant: string | undefined }
) =>
  sql<GroupRow>`
  WITH grouped AS (
    SELECT grouping(day, model, agent, tenant, conversation) AS level,
      coalesce(day, model, agent, tenant, conversation, '(none)') AS key, ${sums(sql)}
    FROM ledger WHERE day BETWEEN ${from} AND ${to} ${tenant === undefined ? sql.literal("") : sql`AND tenant = ${tenant}`}
    GROUP BY GROUPING SETS ((), (day), (model), (agent), (tenant), (conversation))
  ), ranked AS (
    SELECT *, row_number() OVER (PARTITION BY level ORDER BY cost DESC, key COLLATE "C") AS rank FROM grouped
  )
  SELECT level, CASE WHEN level = 15 OR rank <= ${groups}::int THEN key ELSE '(other)' END AS key,
    ${sql.literal(addedUp)}
  FROM ranked GROUP BY 1, 2`

type LineRow = GroupRow & Omit<CostLine, keyof CostTotals>

const lines = (sql: SqlClient.SqlClient, from: string, to: string, limit: number) =>
  sql<LineRow>`SELECT day, model, tenant, agent, conversation, ${sums(sql)} FROM ledger
    WHERE day BETWEEN ${from} AND ${to} GROUP BY day, model, tenant, agent, conversation
    ORDER BY day, cost DESC, model, tenant, agent, conversation LIMIT ${limit}::int`

const lineOf = (row: LineRow): CostLine => {
  const { agent, conversation, day, model, tenant } = row
  return { ...totalsOfRow(row), day, model, tenant, agent, conversation }
}

export const makeSql = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const submit = yield* makeGroupCommit<Op, boolean, SqlError.SqlError>({
    commit: (ops) => writeBatch(sql, ops),
    isolate: (error) => !error.isRetryable,
    maxBatch: 500
  })

  const opening = Effect.fnUntraced(function* (day: string) {
    const tenants = yield* sql<GroupRow>`SELECT 0 AS level, tenant AS key, ${sums(sql)} FROM ledger GROUP BY tenant`
    const spent = yield* sql<SpentRow>`SELECT tenant, agent, conversation, model, sum(cost)::float8 AS cost
      FROM ledger WHERE day = ${day} GROUP BY 1, 2, 3, 4`
    const intents = yield* sql<IntentRow>`SELECT request_id AS id, at::float8 AS at, day, tenant, agent, conversation,
      model, reserved::float8 AS reserved FROM ledger_intents ORDER BY at, request_id`
    const control = yield* sql<{ readonly value: string }>`SELECT value FROM ledger_control WHERE name = 'tracker'`
    return {
      total: tenants.map(totalsOfRow).reduce(plus, noTotals),
      tenants: tenants.map((row) => ({ ...totalsOfRow(row), key: row.key })),
      spent: spent.map(({ cost, ...subject }) => ({ subject, costNanoUsd: nanoUsd(cost) })),
      intents: intents.map(({ id, reserved, ...rest }) => ({
        ...rest,
        requestId: id,
        reservedNanoUsd: nanoUsd(reserved)
      })),
      control: control[0]?.value ?? null
    }
  })

  const book = (rows: Rows) => failing("book a request")(submit({ _tag: "Book", rows }))

  /** One that cannot be written must not keep the others out. Where the connection failed, it may be written: no second try here. */
  const bookAll: LedgerStore["bookAll"] = (requests) => {
    const ops = requests.map((rows): Op => ({ _tag: "Book", rows }))
    const each = Effect.forEach(ops, submit, { concurrency: "unbounded" })
    const written = Effect.catch(writeBatch(sql, ops), (error) => (error.isRetryable ? Effect.fail(error) : each))
    return failing("book requests")(written)
  }

  const costOf = Effect.fnUntraced(function* (requestId: string) {
    const rows = yield* sql<{ readonly cost: number }>`SELECT cost::float8 AS cost FROM ledger
      WHERE request_id = ${requestId}`
    const costs: ReadonlyArray<NanoUsd> = rows.map(({ cost }) => nanoUsd(cost))
    return costs.length === 0 ? undefined : costs.reduce((a, b) => sum(a, b), zero)
  })

  const store: LedgerStore = {
    open: (intent) => Effect.asVoid(failing("open a request")(submit({ _tag: "Open", intent }))),
    note: () => false,
    book,
    bookAll,
    keep: () => false,
    forget: () => false,
    cancel: (requestId) => Effect.asVoid(failing("cancel a request")(submit({ _tag: "Cancel", requestId }))),
    costOf: (requestId) => failing("be read")(costOf(requestId)),
    opening: (day) => failing("be read")(opening(day)),
    report: (from, to, groups, tenant) =>
      failing("be read")(Effect.map(report(sql, { from, to, groups, tenant }), (rows) => reportOf(from, to, rows))),
    lines: (from, to, limit) => failing("be read")(Effect.map(lines(sql, from, to, limit), (rows) => rows.map(lineOf))),
    saveControl: (control) =>
      failing("keep a pause")(
        Effect.asVoid(sql`INSERT INTO ledger_control (name, value) VALUES ('tracker', ${control})
          ON CONFLICT (name) DO UPDATE SET value = excluded.value`)
      )
  }
  return store
})
