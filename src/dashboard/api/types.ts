import type { Conversation as ConversationSchema, StoredMessage } from "../../domain/Conversation.ts"
import type { Alert, AlertKind, Event } from "../../domain/Event.ts"
import type * as Conversations from "../../http/ApiConversations.ts"
import type { Alerts as AlertsSchema } from "../../http/ApiLive.ts"
import type * as Metrics from "../../http/ApiMetrics.ts"
import type { Money as MoneySchema, TotalsOf as TotalsOfSchema } from "../../http/ApiSchemas.ts"
import type { Healthy, Unhealthy } from "../../http/ApiSystem.ts"

/** The answers of the API, from the declarations that the server itself answers by. */
export type TokenMetrics = typeof Metrics.TokenMetrics.Type
export type CacheMetrics = typeof Metrics.CacheMetrics.Type
export type CostMetrics = typeof Metrics.CostMetrics.Type
export type SeriesMetrics = typeof Metrics.SeriesMetrics.Type
export type Alerts = typeof AlertsSchema.Type
export type Money = typeof MoneySchema.Type
export type TotalsOf = typeof TotalsOfSchema.Type
export type ContextView = typeof Conversations.ContextView.Type
export type Conversation = ConversationSchema
export type Health = typeof Healthy.Type | typeof Unhealthy.Type
export type ContextWindow = TokenMetrics["contextWindows"][number]
export type { Alert, AlertKind, Event, StoredMessage }

export type UsageEvent = Extract<Event, { readonly _tag: "Usage" }>
export type CompactionEvent = Extract<Event, { readonly _tag: "Compaction" }>

/** One event of the live feed. */
export interface Frame {
  readonly seq: number
  readonly at: number
  readonly event: Event
}

export interface MessagePage {
  /** Oldest first. */
  readonly messages: ReadonlyArray<StoredMessage>
  readonly next: number | null
}

export interface ConversationPage {
  readonly conversations: ReadonlyArray<Conversation>
  readonly next: string | null
}
