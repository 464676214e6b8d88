import { Clock, Effect, Option } from "effect"
import type { AssistantMessage } from "../domain/MessagesRequest.ts"
import { originalOf } from "../domain/Original.ts"
import { AnswerStore } from "./AnswerStore.ts"
import type { CacheOptions } from "./CacheService.ts"
import type { SecondTier } from "./SecondTier.ts"
import { isStorable } from "./Storable.ts"

const monotonicMillis = Clock.clockWith((clock) => Effect.sync(() => Number(clock.monotonicTimeNanosUnsafe()) / 1e6))

/** The answer as upstream wrote it, where that is known. A value that has no JSON has nothing to store. */
const jsonOf = (answer: AssistantMessage): string | undefined => {
  const original = originalOf(answer)
  if (original !== undefined) return Buffer.from(original.buffer, original.byteOffset, original.length).toString("utf8")
  try {
    return JSON.stringify(answer)
  } catch {
    return undefined
  }
}

const parsed = (text: string): Option.Option<AssistantMessage> => {
  try {
    return Option.some(JSON.parse(text))
  } catch {
    // Only a second tier can hold what is no answer of ours.
    return Option.none()
  }
}

/** Stored answers, by key: in this process, and behind it in a second tier if there is one. */
export const makeAnswers = (options: CacheOptions, second: SecondTier | undefined) => {
  const store = new AnswerStore(options)
  const counts = { hits: 0, misses: 0 }

  const count = (answer: Option.Option<AssistantMessage>): Option.Option<AssistantMessage> => {
    if (Option.isSome(answer)) counts.hits++
    else counts.misses++
    return answer
  }

  const fetch = ({ get }: SecondTier, key: string, now: number) =>
    Effect.map(get(key), (kept) => {
      if (kept === undefined) return count(Option.none())
      store.set(key, kept.text, now, kept.ttlMillis)
      return count(parsed(kept.text))
    })

  const lookup = (key: string): Effect.Effect<Option.Option<AssistantMessage>> =>
    Effect.flatMap(monotonicMillis, (now) => {
      if (key === "") return Effect.succeedNone
      const text = store.get(key, now)
      if (text === undefined && second !== undefined) return fetch(second, key, now)
      return Effect.succeed(count(text === undefined ? Option.none() : parsed(text)))
    })

  const save = (key: string, answer: AssistantMessage): Effect.Effect<boolean> =>
    Effect.flatMap(monotonicMillis, (now) => {
      if (key === "" || !isStorable(answer, options.toolCalls ?? false)) return Effect.succeed(false)
      const text = jsonOf(answer)
      if (text === undefined || !store.set(key, text, now)) return Effect.succeed(false)
      return second === undefined ? Effect.succeed(true) : Effect.as(second.set(key, text), true)
    })

  return {
    lookup,
    save,
    clear: Effect.andThen(
      second?.clear ?? Effect.void,
      Effect.sync(() => store.clear())
    ),
    purge: Effect.map(monotonicMillis, (now) => store.purge(now)),
    stats: () => ({
      entries: store.size,
      bytes: store.bytes,
      maxBytes: options.maxBytes,
      ttlMillis: options.ttlMillis,
      hits: counts.hits,
      misses: counts.misses,
      hitRate: counts.hits / Math.max(1, counts.hits + counts.misses),
      evictions: store.evictions,
      expirations: store.expirations
    })
  }
}
