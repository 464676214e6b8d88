import type { Effect } from "effect"
import type { ContextTooLarge } from "../../context/PreparedContext.ts"
import type { Summarizer } from "../../context/Summarizer.ts"
import type { StoredMessage } from "../../domain/Conversation.ts"
import type { Message } from "../../domain/Message.ts"
import type { Usage } from "../../domain/Usage.ts"
import type { ModelCatalog } from "../../models/ModelCatalog.ts"
import type { SettingsShape } from "../../Settings.ts"
import type { TokenEstimator } from "../../tokens/TokenEstimator.ts"
import type { Prompt } from "./Meter.ts"

/** `sluice` follows COMPACTION_OBJECTIVE; the two with an objective in their name are the same with that one. */
export const policyNames = ["none", "window", "seed", "sluice", "sluice-dollars", "sluice-tokens"] as const
export type PolicyName = (typeof policyNames)[number]

/** One policy of each kind, and Sluice under both objectives, each once. */
export const compared = ({ compactionObjective }: SettingsShape): ReadonlyArray<PolicyName> => [
  "none",
  "window",
  "seed",
  "sluice",
  compactionObjective === "dollars" ? "sluice-tokens" : "sluice-dollars"
]

/** What a policy may use. */
export interface Bench {
  readonly estimator: TokenEstimator["Service"]
  readonly summarizer: Summarizer["Service"]
  readonly catalog: ModelCatalog["Service"]
  readonly settings: SettingsShape
  readonly model: string
  readonly prefixTokens: number
}

/** One conversation under one policy. `history` is the whole transcript; `upTo` messages of it have been said. */
export interface Player {
  readonly prompt: (upTo: number) => Effect.Effect<Prompt, ContextTooLarge>
  /** What the last prompt held. */
  readonly messages: () => ReadonlyArray<Message>
  /** Told what upstream says that the last prompt consumed, where a policy learns from it. */
  readonly settled?: (usage: Usage) => void
  /** True when every prompt is the whole history, so that nobody has to look into it. */
  readonly complete?: boolean
}

export type Policy = (history: ReadonlyArray<StoredMessage>, bench: Bench) => Player
