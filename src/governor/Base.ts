import type { Effect, Scope } from "effect"
import type { Claude } from "../claude/Claude.ts"
import type { Accounts } from "./Accounts.ts"
import type { Degraded } from "./Degraded.ts"
import type { Reception } from "./Reception.ts"

/** What whole and streamed answers are made with. */
export interface Base {
  readonly degraded: Degraded
  readonly accounts: Accounts
  readonly reception: Reception
  readonly claude: Claude["Service"]
  /** Where requests live on when whoever asked has left. */
  readonly home: Scope.Scope
  /** How to abort and settle each stream that is being read; done when `home` closes. */
  readonly aloft: Set<Effect.Effect<void>>
}
