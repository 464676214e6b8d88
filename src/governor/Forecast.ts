import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import { promptTokens, type Usage } from "../domain/Usage.ts"

/** What a request will probably consume, in tokens. */
export interface Expected {
  /** Uncached input and cache writes: what upstream counts against its input limit. */
  readonly input: number
  /** What upstream's prompt cache will probably serve. */
  readonly cacheRead: number
  /** Mean output of the model so far, at most `max_tokens`. */
  readonly output: number
  /** Output that is rarely exceeded (mean and two mean deviations), at most `max_tokens`. */
  readonly outputBound: number
}

interface OutputMemory {
  mean: number
  deviation: number
}

interface PrefixMemory {
  /** Tokens of the prefix that upstream held after the last request. */
  cached: number
  /** Share of such predictions that came true lately, 0 to 1. */
  trust: number
  /** Milliseconds since the epoch. */
  expiresAt: number
}

export interface Forecast {
  readonly expect: (prefix: Prefix, request: MessagesRequest, model: string, tokens: number, now: number) => Expected
  readonly learn: (prefix: Prefix, model: string, usage: Usage, sentAt: number) => void
}

/** Until a model has answered: an ordinary answer, and room for a long one. */
const priorMean = 800
const priorDeviation = 1_600
/** How quickly what is new replaces what is old. */
const outputGain = 1 / 8
const trustGain = 1 / 2
const maxModels = 1_000
const maxPrefixes = 10_000
const fiveMinutes = 300_000
const oneHour = 3_600_000

const lengthOf = (u: unknown): number => (typeof u === "string" ? u.length : Array.isArray(u) ? u.length : 0)

/** What a request's prompt probably begins with: what its own conversation has sent, and what its agent's all share. */
export interface Prefix {
  readonly own: string
  readonly family: string
}

/**
 * Names the prompt prefixes that a request probably shares with earlier ones, in constant time. Its own: its
 * conversation, or its agent with the sizes of what stands at the front. Its family's: the agent with the sizes of system
 * prompt and tools.
 */
export const prefixOf = (
  request: MessagesRequest,
  caller: { readonly tenant: string; readonly agent: string; readonly conversation?: string | undefined }
): Prefix => {
  const family = `${caller.tenant}\n${caller.agent}\n${request.model}\n${lengthOf(request.system)}.${lengthOf(request.tools)}`
  const own =
    caller.conversation === undefined
      ? `${family}.${lengthOf(request.messages[0]?.content)}`
      : `${caller.tenant}\n${caller.conversation}\n${request.model}`
  return { own, family }
}

/** Keeps the newest `limit` keys; a key that is written again counts as new. */
const remember = <A>(memory: Map<string, A>, key: string, value: A, limit: number): void => {
  memory.delete(key)
  memory.set(key, value)
  if (memory.size <= limit) return
  const oldest = memory.keys().next()
  if (!oldest.done) memory.delete(oldest.value)
}

/**
 * Learns how much a model writes (moving mean and mean deviation) and how much of a prefix upstream's prompt cache
 * serves. A prefix never seen counts in full; afterwards what upstream held at the last request, if its five minutes
 * (one hour after a 1-hour write) are not over, times the share of such predictions that came true. A prompt without a past
 * is expected to be served what others of its family were. Bounded, pure memory.
 */
export const makeForecast = (): Forecast => {
  const outputs = new Map<string, OutputMemory>()
  const prefixes = new Map<string, PrefixMemory>()

  const servable = (prefix: string, now: number): PrefixMemory | undefined => {
    const memory = prefixes.get(prefix)
    return memory !== undefined && now < memory.expiresAt ? memory : undefined
  }

  const learnOutput = (model: string, output: number): void => {
    const memory = outputs.get(model)
    if (memory === undefined) {
      remember(outputs, model, { mean: output, deviation: output / 2 }, maxModels)
      return
    }
    memory.deviation += outputGain * (Math.abs(output - memory.mean) - memory.deviation)
    memory.mean += outputGain * (output - memory.mean)
  }

  const learnPrefix = (prefix: string, usage: Usage, held: number, sentAt: number): void => {
    const before = servable(prefix, sentAt)
    const hit =
      before === undefined || before.cached === 0
        ? undefined
        : Math.min(1, usage.cacheRead / Math.min(before.cached, promptTokens(usage) || 1))
    const trust = before?.trust ?? 0.5
    const lifetime = usage.cacheWrite1h > 0 ? oneHour : fiveMinutes
    const memory: PrefixMemory = {
      cached: held,
      trust: hit === undefined ? trust : trust + trustGain * (hit - trust),
      // An hour-long entry stays one, whatever is written after it.
      expiresAt: Math.max(sentAt + lifetime, before === undefined || usage.cacheRead === 0 ? 0 : before.expiresAt)
    }
    remember(prefixes, prefix, memory, maxPrefixes)
  }

  return {
    expect: ({ family, own }, request, model, tokens, now) => {
      const memory = servable(own, now) ?? servable(family, now)
      const cacheRead = memory === undefined ? 0 : Math.floor(Math.min(memory.cached, tokens) * memory.trust)
      const { mean, deviation } = outputs.get(model) ?? { mean: priorMean, deviation: priorDeviation }
      const most = Math.max(0, Math.floor(request.max_tokens))
      return {
        input: tokens - cacheRead,
        cacheRead,
        output: Math.min(most, Math.ceil(mean)),
        outputBound: Math.min(most, Math.ceil(mean + 2 * deviation))
      }
    },
    learn: ({ family, own }, model, usage, sentAt) => {
      learnOutput(model, usage.output)
      // What a prompt without a past of its own was served is what the family shares.
      if (servable(own, sentAt) === undefined) learnPrefix(family, usage, usage.cacheRead, sentAt)
      learnPrefix(own, usage, usage.cacheRead + usage.cacheWrite5m + usage.cacheWrite1h, sentAt)
    }
  }
}
