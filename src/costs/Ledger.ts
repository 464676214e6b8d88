import { join } from "node:path"
import { Context, Effect, Layer } from "effect"
import type { SqlClient } from "effect/sql"
import { Settings } from "../Settings.ts"
import { makeJournaled } from "./LedgerJournaled.ts"
import { makeMemory } from "./LedgerMemory.ts"
import { makeSql } from "./LedgerSql.ts"
import type { LedgerStore } from "./LedgerStore.ts"
import type { LedgerError } from "./Records.ts"

/** Where the money is written down. An acknowledged write outlives the process. Rows are only ever added. */
export class Ledger extends Context.Service<Ledger, LedgerStore>()("sluice/costs/Ledger") {
  /** In the database: tables `ledger`, `ledger_intents`, `ledger_control`. Writes that come together are committed together. */
  static readonly layerSql: Layer.Layer<Ledger, never, SqlClient.SqlClient> = Layer.effect(Ledger, makeSql)

  /** Puts a journal in `directory` before a ledger, so that requests do not wait for it. */
  static readonly layerJournaled = (directory: string): Layer.Layer<Ledger, LedgerError, Ledger> =>
    Layer.effect(
      Ledger,
      Effect.flatMap(Ledger, (inner) => makeJournaled(directory, inner))
    )

  /** In the database, with a journal in DATA_DIR. A directory that cannot be written is told of in the log: then every request waits for the database. */
  static readonly layer: Layer.Layer<Ledger, LedgerError, Settings | SqlClient.SqlClient> = Layer.effect(
    Ledger,
    Effect.gen(function* () {
      const { dataDir } = yield* Settings
      const inner = yield* makeSql
      return yield* makeJournaled(join(dataDir, "ledger"), inner).pipe(
        Effect.catch((error) =>
          Effect.as(Effect.logWarning(`${error.message} Requests wait for the database instead.`), inner)
        )
      )
    })
  )

  /** In this process only. For tests. */
  static readonly layerMemory: Layer.Layer<Ledger> = Layer.sync(Ledger, makeMemory)
}
