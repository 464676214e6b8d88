import type { ModelCatalog } from "../models/ModelCatalog.ts"
import type { TokenEstimator } from "../tokens/TokenEstimator.ts"
import type { Decision, Situation } from "./CompactionPolicy.ts"
import type { Outlook } from "./Outlook.ts"
import type { Summarizer } from "./Summarizer.ts"

/** What the context of one conversation works with. */
export interface ContextOptions {
  readonly conversation: string
  readonly estimator: TokenEstimator["Service"]
  readonly summarizer: Summarizer["Service"]
  readonly catalog: ModelCatalog["Service"]
  readonly objective: "dollars" | "tokens"
  /** Decides when to compact. */
  readonly policy: (situation: Situation) => Decision
  /** Tokens, by upper bound. */
  readonly maxTokens: number
  /** Full messages. */
  readonly maxMessages: number
  readonly recentMessages: number
  readonly midMessages: number
  readonly agentTools: ReadonlySet<string>
  readonly segmentMessages: number
  readonly summaryWords: number
  /** What all conversations have taught about how long they go on; its own without one. */
  readonly outlook?: Outlook
}
