import type { LedgerEntry, LedgerIntent } from "../../src/costs/Records.ts"
import { nanoUsd, zero } from "../../src/domain/Money.ts"

export const entry = (fields: Partial<LedgerEntry> & { readonly requestId: string }): LedgerEntry => ({
  part: 0,
  at: 1_790_000_000_000,
  day: "2026-09-21",
  tenant: "default",
  agent: "orchestrator",
  conversation: null,
  model: "claude-sonnet-5-5",
  usage: { input: 10, cacheWrite5m: 20, cacheWrite1h: 30, cacheRead: 40, output: 50 },
  webSearches: 0,
  costNanoUsd: nanoUsd(1000),
  savedNanoUsd: zero,
  saved: { cache: zero, context: zero, routing: zero },
  rawTokens: 100,
  status: "settled",
  estimated: false,
  ...fields
})

export const intent = (requestId: string, fields: Partial<LedgerIntent> = {}): LedgerIntent => ({
  requestId,
  at: 1_790_000_000_000,
  day: "2026-09-21",
  tenant: "default",
  agent: "orchestrator",
  conversation: null,
  model: "claude-sonnet-5-5",
  reservedNanoUsd: nanoUsd(5000),
  ...fields
})
