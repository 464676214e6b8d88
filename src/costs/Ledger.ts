import { Context, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { makeMemory } from "./LedgerMemory.ts"
import { makeSql } from "./LedgerSql.ts"
import type { LedgerStore } from "./LedgerStore.ts"

/** Where the money is written down. An acknowledged write is on disk. Rows are only ever added. */
export class Ledger extends Context.Service<Ledger, LedgerStore>()("sluice/costs/Ledger") {
  /** In the database: tables `ledger`, `ledger_intents`, `ledger_control`. Writes that come together are committed together. */
  static readonly layerSql: Layer.Layer<Ledger, never, SqlClient.SqlClient> = Layer.effect(Ledger, makeSql)

  /** In this process only. For tests. */
  static readonly layerMemory: Layer.Layer<Ledger> = Layer.sync(Ledger, makeMemory)
}
