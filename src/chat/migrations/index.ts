import { Migrator } from "effect/sql"
import chat from "./0001_chat.ts"
import ledger from "./0002_ledger.ts"
import estimator from "./0003_estimator.ts"
import tokens from "./0004_tokens.ts"
import search from "./0005_search.ts"
import searchBlocks from "./0006_search_blocks.ts"

/** Every migration, in order. Applied ones never change; a new one gets the next number. One statement per `yield*`. */
export const migrations = Migrator.fromRecord({
  "0001_chat": chat,
  "0002_ledger": ledger,
  "0003_estimator": estimator,
  "0004_tokens": tokens,
  "0005_search": search,
  "0006_search_blocks": searchBlocks
})
