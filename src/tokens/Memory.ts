import { LRUCache } from "lru-cache"
import type { Prompt } from "./Prompt.ts"

/** What upstream said about a prompt, and about the answer to it. */
export interface Anchor {
  /** Tokens of the prompt. */
  readonly prompt: number
  /** Tokens of the answer. */
  readonly output: number
}

/** The longest beginning of a prompt that was observed, in messages, and what was observed. */
export interface Found {
  readonly messages: number
  readonly anchor: Anchor
}

/** How far back from a prompt's end a prompt that was observed is looked for, in messages. */
const reach = 4_096
const anchorsKept = 20_000
const shellsKept = 2_000

/**
 * What was observed, by the fingerprint of everything that a prompt began with: model, system prompt, tools, messages. A
 * prompt that differs anywhere before its end has another fingerprint and finds nothing.
 */
export class Memory {
  private readonly anchors = new LRUCache<number, Anchor>({ max: anchorsKept })
  private readonly shells = new LRUCache<number, number>({ max: shellsKept })

  find({ chain }: Prompt): Found | undefined {
    for (let i = chain.length - 1; i > Math.max(0, chain.length - reach); i--) {
      const anchor = this.anchors.get(chain[i] ?? 0)
      if (anchor !== undefined) return { messages: i, anchor }
    }
    return undefined
  }

  keep({ chain }: Prompt, anchor: Anchor): void {
    this.anchors.set(chain.at(-1) ?? 0, anchor)
  }

  /** Real tokens of the prompt's system prompt and tools, if an earlier prompt with the same ones told. */
  shell({ chain }: Prompt): number | undefined {
    return this.shells.get(chain[0] ?? 0)
  }

  keepShell({ chain }: Prompt, tokens: number): void {
    this.shells.set(chain[0] ?? 0, tokens)
  }
}
