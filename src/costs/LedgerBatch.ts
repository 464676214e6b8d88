import { Effect } from "effect"
import type { SqlClient, SqlError } from "effect/sql"
import type { Rows } from "./LedgerStore.ts"
import type { LedgerEntry, LedgerIntent } from "./Records.ts"

/** One thing to be written. */
export type Op =
  | { readonly _tag: "Open"; readonly intent: LedgerIntent }
  | { readonly _tag: "Book"; readonly rows: Rows }
  | { readonly _tag: "Cancel"; readonly requestId: string }

const intentRow = (intent: LedgerIntent) => ({
  request_id: intent.requestId,
  at: intent.at,
  day: intent.day,
  tenant: intent.tenant,
  agent: intent.agent,
  conversation: intent.conversation,
  model: intent.model,
  reserved: intent.reservedNanoUsd
})

const ledgerRow = (entry: LedgerEntry) => ({
  request_id: entry.requestId,
  part: entry.part,
  at: entry.at,
  day: entry.day,
  tenant: entry.tenant,
  agent: entry.agent,
  conversation: entry.conversation,
  model: entry.model,
  input: entry.usage.input,
  write_5m: entry.usage.cacheWrite5m,
  write_1h: entry.usage.cacheWrite1h,
  cache_read: entry.usage.cacheRead,
  output: entry.usage.output,
  web_searches: entry.webSearches,
  cost: entry.costNanoUsd,
  saved_cache: entry.saved.cache,
  saved_context: entry.saved.context,
  saved_routing: entry.saved.routing,
  raw_tokens: entry.rawTokens,
  status: entry.status,
  estimated: entry.estimated
})

/** Sorts a batch out: the first booking of a request counts, and what ends here need not begin. */
const sorted = (ops: ReadonlyArray<Op>) => {
  const booked = new Map<string, Rows>()
  const closed = new Set<string>()
  for (const op of ops) {
    if (op._tag === "Cancel") closed.add(op.requestId)
    if (op._tag !== "Book") continue
    const { requestId } = op.rows[0]
    closed.add(requestId)
    if (!booked.has(requestId)) booked.set(requestId, op.rows)
  }
  const opened = ops.flatMap((op) => (op._tag === "Open" && !closed.has(op.intent.requestId) ? [op.intent] : []))
  return { booked, closed, opened }
}

/**
 * Writes a batch with one statement, so all of it or nothing, in one round trip. Answers for each operation whether it
 * was new: false only for the booking of a request that had been booked before. The text of the statement never changes,
 * so it is planned once; everything travels in three JSON texts.
 */
export const writeBatch = (
  sql: SqlClient.SqlClient,
  ops: ReadonlyArray<Op>
): Effect.Effect<ReadonlyArray<boolean>, SqlError.SqlError> => {
  const { booked, closed, opened } = sorted(ops)
  const entries = JSON.stringify([...booked.values()].flat().map(ledgerRow))
  const statement = sql<{ readonly id: string }>`
    WITH booked AS (
      INSERT INTO ledger
      SELECT * FROM json_populate_recordset(NULL::ledger, ${entries}::text::json) AS given
      WHERE NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.request_id = given.request_id)
      ON CONFLICT DO NOTHING
      RETURNING request_id, part
    ), closed AS (
      DELETE FROM ledger_intents
      WHERE request_id IN (SELECT json_array_elements_text(${JSON.stringify([...closed])}::text::json))
    ), opened AS (
      INSERT INTO ledger_intents
      SELECT * FROM json_populate_recordset(NULL::ledger_intents, ${JSON.stringify(opened.map(intentRow))}::text::json)
      ON CONFLICT DO NOTHING
    )
    SELECT request_id AS id FROM booked WHERE part = 0`
  return Effect.map(statement, (rows) => {
    const added = new Set(rows.map(({ id }) => id))
    return ops.map(
      (op) => op._tag !== "Book" || (booked.get(op.rows[0].requestId) === op.rows && added.has(op.rows[0].requestId))
    )
  })
}
