export * as App from "./App.ts"
export { makeSluice, type Sluice } from "./App.ts"
export { type CacheStats, ResponseCache } from "./cache/ResponseCache.ts"
export {
  ChatRepo,
  ChatRepoError,
  ConversationNotFound,
  type History,
  type NewConversation,
  type NewMessage
} from "./chat/ChatRepo.ts"
export { Database, DatabaseUnavailable } from "./chat/Database.ts"
export { type Found, MessageSearch, SearchFailed, type SearchQuery, type SearchResult } from "./chat/MessageSearch.ts"
export { type CallOptions, Claude, type ClaudeAnswer, type ClaudeStream } from "./claude/Claude.ts"
export {
  CircuitOpen,
  ClaudeError,
  ClaudeReason,
  Overloaded,
  RateLimited,
  Rejected,
  ServerFault,
  StreamBroken,
  TimedOut,
  Unreachable
} from "./claude/ClaudeError.ts"
export {
  type ContextEntry,
  ContextManager,
  type ContextStats,
  ContextTooLarge,
  type LastSummary,
  MessageNotFound,
  type PreparedContext,
  type Shell,
  TooManyPins
} from "./context/ContextManager.ts"
export { Summarizer, type Summary, type SummaryRequest } from "./context/Summarizer.ts"
export {
  BudgetExceeded,
  type CostReport,
  type CostReserve,
  type CostSettle,
  type CostState,
  type CostTotals,
  CostTracker,
  LedgerEntry,
  LedgerError
} from "./costs/CostTracker.ts"
export { type Caller, type CallerParts, defaultCaller, Priority, Task } from "./domain/Caller.ts"
export { Agent, Band, Conversation, Detail, Segment, StoredMessage } from "./domain/Conversation.ts"
export { Alert, Event } from "./domain/Event.ts"
export { Content, ContentBlock, Message, type Role } from "./domain/Message.ts"
export {
  type AssistantMessage,
  MessagesRequest,
  type StreamEvent,
  type ToolDefinition
} from "./domain/MessagesRequest.ts"
export * as Money from "./domain/Money.ts"
export * as Usage from "./domain/Usage.ts"
export { layerAlertLog } from "./events/AlertLog.ts"
export { AlertRules } from "./events/AlertRules.ts"
export { Events, type Sequenced } from "./events/Events.ts"
export { layerWebhook, signature as webhookSignature } from "./events/Webhook.ts"
export {
  type GovernedAnswer,
  type GovernedStream,
  Governor,
  type GovernorError,
  type RunOptions,
  type Settlement
} from "./governor/Governor.ts"
export { Api } from "./http/Api.ts"
export { governedFetch } from "./http/GovernedFetch.ts"
export { type LimiterStats, RateLimitError, type Reservation, TokenRateLimiter } from "./limits/TokenRateLimiter.ts"
export { type Model, ModelCatalog, type Prices } from "./models/ModelCatalog.ts"
export { ModelRouter, type Route } from "./models/ModelRouter.ts"
export { Monitor } from "./observability/Monitor.ts"
export { layerRequestLog } from "./observability/RequestLog.ts"
export { Telemetry } from "./observability/Telemetry.ts"
export {
  InvalidMessage,
  Orchestrator,
  type OrchestratorError,
  type SendOptions,
  type Tool,
  type ToolContext,
  TooManyToolRounds,
  type TurnEvent
} from "./orchestrator/Orchestrator.ts"
export { InvalidSetting, Settings, type SettingsOverrides, type SettingsShape } from "./Settings.ts"
export { type Estimate, TokenEstimator } from "./tokens/TokenEstimator.ts"
export { version } from "./version.ts"
