import { LRUCache } from "lru-cache"

/** What one entry takes besides its text, in bytes (key, map and list slots), as measured on Node 24's heap. */
const entryBytes = 220

/** V8 keeps a text in one byte per character until one of them does not fit. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is Latin-1, control characters included
const isLatin1 = /^[\u0000-\u00ff]*$/

/** Heap bytes of an entry that holds this text. */
export const bytesOf = (text: string): number => entryBytes + (isLatin1.test(text) ? text.length : 2 * text.length)

export interface AnswerStoreOptions {
  readonly ttlMillis: number
  readonly maxBytes: number
}

/** Texts by key: least recently used out first, bounded in bytes, each for a limited time. The caller tells the time. */
export class AnswerStore {
  evictions = 0
  expirations = 0
  private now = 1
  private readonly entries: LRUCache<string, string>

  constructor(options: AnswerStoreOptions) {
    this.entries = new LRUCache<string, string>({
      maxSize: Math.max(1, Math.floor(options.maxBytes)),
      sizeCalculation: bytesOf,
      ttl: Math.max(1, Math.floor(options.ttlMillis)),
      // The default keeps the time in a timer; here it costs nothing to read.
      ttlResolution: 0,
      perf: { now: () => this.now },
      dispose: (_text, _key, reason) => {
        if (reason === "evict") this.evictions++
        if (reason === "expire") this.expirations++
      }
    })
  }

  get size(): number {
    return this.entries.size
  }

  get bytes(): number {
    return this.entries.calculatedSize
  }

  get(key: string, millis: number): string | undefined {
    this.setTime(millis)
    return this.entries.get(key)
  }

  /** Answers whether it is kept: a text larger than the whole store is not. */
  set(key: string, text: string, millis: number, ttlMillis?: number): boolean {
    this.setTime(millis)
    this.entries.set(key, text, ttlMillis === undefined ? {} : { ttl: Math.max(1, Math.floor(ttlMillis)) })
    return this.entries.has(key)
  }

  /** Removes what is too old. O(entries). */
  purge(millis: number): void {
    this.setTime(millis)
    this.entries.purgeStale()
  }

  clear(): number {
    const removed = this.entries.size
    this.entries.clear()
    return removed
  }

  /** From 1 on: to lru-cache an entry that began at 0 has no time limit. */
  private setTime(millis: number): void {
    this.now = millis + 1
  }
}
