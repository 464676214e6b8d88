import type { ApiUsage } from "../../domain/MessagesRequest.ts"
import { add, fromApi, type Usage, zero } from "../../domain/Usage.ts"

/** One request that upstream charges for. */
export interface BillEntry {
  /** The `request-id` header and the message's id. */
  readonly requestId: string
  readonly messageId: string
  /** What the caller sent as `x-client-request-id`, to match its own books. */
  readonly clientRequestId: string | undefined
  readonly model: string
  /** Milliseconds since the epoch, when it was accepted. */
  readonly at: number
  readonly usage: Usage
  /** `running` until the last event was handed over; `aborted`: the client went away, or a fault cut it. */
  readonly status: "running" | "complete" | "aborted"
}

export interface BillTotal {
  readonly requests: number
  readonly usage: Usage
  /** The same by model. */
  readonly byModel: ReadonlyMap<string, Usage>
}

/** A running entry: the prompt is charged from the start, output as it is generated. */
export interface OpenEntry {
  readonly generate: (outputTokens: number) => void
  readonly close: (status: "complete" | "aborted") => void
}

/** The exact bill: totals for ever, single entries for the last `maxEntries` requests. */
export class Bill {
  readonly #entries: Array<BillEntry> = []
  readonly #maxEntries: number
  readonly #byModel = new Map<string, Usage>()
  #requests = 0

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  get entries(): ReadonlyArray<BillEntry> {
    return this.#entries.map((entry) => ({ ...entry }))
  }

  get total(): BillTotal {
    const byModel = new Map(this.#byModel)
    return { requests: this.#requests, usage: [...byModel.values()].reduce(add, zero), byModel }
  }

  open(entry: Omit<BillEntry, "usage" | "status">, prompt: ApiUsage): OpenEntry {
    const usage = fromApi(prompt)
    const kept: { -readonly [K in keyof BillEntry]: BillEntry[K] } = { ...entry, usage, status: "running" }
    this.#requests++
    this.#charge(entry.model, usage)
    this.#entries.push(kept)
    if (this.#entries.length > this.#maxEntries * 1.1) this.#entries.splice(0, this.#entries.length - this.#maxEntries)
    return {
      generate: (output) => {
        kept.usage = { ...kept.usage, output: kept.usage.output + output }
        this.#charge(entry.model, { ...zero, output })
      },
      close: (status) => {
        if (kept.status === "running") kept.status = status
      }
    }
  }

  #charge(model: string, usage: Usage): void {
    this.#byModel.set(model, add(this.#byModel.get(model) ?? zero, usage))
  }
}
