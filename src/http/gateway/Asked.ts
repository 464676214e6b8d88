import type { IncomingHttpHeaders } from "node:http"
import { claimed } from "../../access/Tokens.ts"
import { type Caller, defaultCaller, Priority, Task } from "../../domain/Caller.ts"
import type { RunOptions } from "../../governor/Governor.ts"
import type { SettingsShape } from "../../Settings.ts"
import type { Credentials } from "./Credentials.ts"
import { invalid, type Refusal } from "./Failure.ts"

/** What a request says about itself besides its body. */
export interface Asked {
  readonly caller: Caller
  readonly cache: NonNullable<RunOptions["cache"]>
  readonly context: "off" | "compact"
  /** Whether a compacted context says how to look up what was condensed. */
  readonly recall: boolean
  /** How long it may wait for its turn, in milliseconds. */
  readonly deadlineMillis: number
}

const caches = ["on", "off", "refresh"] as const
const contexts = ["off", "compact"] as const
const switches = ["on", "off"] as const
const priorities = Priority.literals
const tasks = Task.literals

const text = (value: string | Array<string> | undefined): string | undefined => {
  const joined = typeof value === "string" ? value.trim() : undefined
  return joined === "" ? undefined : joined
}

const named = (headers: IncomingHttpHeaders, ...names: ReadonlyArray<string>): string | undefined => {
  for (const name of names) {
    const value = text(headers[name])
    if (value !== undefined) return value.slice(0, 200)
  }
  return undefined
}

/** One of a header's allowed values; undefined when it is not there. */
const oneOf = <const L extends string>(
  headers: IncomingHttpHeaders,
  name: string,
  allowed: ReadonlyArray<L>
): L | Refusal | undefined => {
  const value = text(headers[name])
  if (value === undefined) return undefined
  return (
    allowed.find((literal) => literal === value.toLowerCase()) ??
    invalid(`${name}: ${allowed.join(", ")} is accepted, not "${value.slice(0, 50)}".`)
  )
}

const isRefusal = (value: unknown): value is Refusal => typeof value === "object"

/** HTTP's own way of saying it. */
const cacheControl = (headers: IncomingHttpHeaders): "off" | "refresh" | undefined => {
  const value = headers["cache-control"]
  if (value === undefined) return undefined
  return /\bno-store\b/i.test(value) ? "off" : /\bno-cache\b/i.test(value) ? "refresh" : undefined
}

/** Claude Code gives a stream up after five minutes of silence, and keep-alives may not count. */
const patienceMillis = 270_000

/** A queue that holds a request longer than its client waits is of no use: it is refused in time to be sent again. */
const deadlineOf = (headers: IncomingHttpHeaders): number => {
  const seconds = Number(headers["x-stainless-timeout"])
  if (!Number.isFinite(seconds) || seconds <= 0) return patienceMillis
  return Math.max(1_000, Math.min(10 * patienceMillis, Math.floor(seconds * 900)))
}

/** Reads the `x-sluice-*` headers; Claude Code's own ids stand in for conversation and agent. */
export const readAsked = (
  headers: IncomingHttpHeaders,
  { grant }: Credentials,
  settings: SettingsShape
): Asked | Refusal => {
  const priority = oneOf(headers, "x-sluice-priority", priorities)
  const task = oneOf(headers, "x-sluice-task", tasks)
  const cache = oneOf(headers, "x-sluice-cache", caches)
  const context = oneOf(headers, "x-sluice-context", contexts)
  const recall = oneOf(headers, "x-sluice-recall", switches)
  const cheaper = oneOf(headers, "x-sluice-allow-cheaper", switches)
  const fallback = oneOf(headers, "x-sluice-allow-fallback", switches)
  if (isRefusal(priority)) return priority
  if (isRefusal(task)) return task
  if (isRefusal(cache)) return cache
  if (isRefusal(context)) return context
  if (isRefusal(recall)) return recall
  if (isRefusal(cheaper)) return cheaper
  if (isRefusal(fallback)) return fallback
  return {
    caller: {
      tenant: grant?.name ?? defaultCaller.tenant,
      agent: named(headers, "x-sluice-agent", "x-claude-code-agent-id") ?? grant?.agent ?? defaultCaller.agent,
      conversation: named(headers, "x-sluice-conversation", "x-claude-code-session-id"),
      priority: claimed(priority, grant) ?? defaultCaller.priority,
      task,
      allowCheaper: cheaper === "on",
      allowFallback: fallback === "on"
    },
    cache: cache ?? cacheControl(headers) ?? "on",
    context: settings.enabled.context ? (context ?? settings.gatewayContext) : "off",
    recall: recall === undefined ? settings.gatewayRecall : recall === "on",
    deadlineMillis: deadlineOf(headers)
  }
}
