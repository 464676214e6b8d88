import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Model } from "../models/ModelCatalog.ts"
import { withoutUnanswered } from "./answered.ts"
import { Fingerprint } from "./Fingerprint.ts"
import type { Measure, Size } from "./measure.ts"
import { toolOverhead } from "./shell.ts"

/** A prompt, looked at once. Tokens are uncalibrated. */
export interface Prompt {
  /** System prompt, tools, and what tools cost besides. */
  readonly shell: number
  /** By message. */
  readonly sizes: ReadonlyArray<number>
  /** `chain[i]` is the fingerprint of model, system, tools and the first `i` messages. */
  readonly chain: ReadonlyArray<number>
}

/** Sizes of messages as upstream receives them. */
export const sizesOf = ({ messages }: MessagesRequest, measure: Measure): ReadonlyArray<Size> => {
  const sizes = messages.map(measure.message)
  return sizes.map((size, i) => {
    if (size.calls.length === 0) return size
    const received = withoutUnanswered(i, messages, sizes)
    return received === undefined ? size : measure.message(received)
  })
}

/** Looks at a prompt: scans what is new in it, and adds up. */
export const look = (request: MessagesRequest, model: Model, measure: Measure): Prompt => {
  const shell = measure.shell(request)
  const overhead = toolOverhead(request, model)
  const sizes = sizesOf(request, measure)
  let print = new Fingerprint(shell.print).text(model.id).number(overhead).value()
  const chain = [print]
  for (const size of sizes) {
    print = new Fingerprint(print).number(size.print).value()
    chain.push(print)
  }
  return { shell: shell[model.tokenizer] + overhead, sizes: sizes.map((size) => size[model.tokenizer]), chain }
}

/** Tokens of the messages from `from` on. */
export const messageTokens = ({ sizes }: Prompt, from = 0): number => {
  let sum = 0
  for (let i = from; i < sizes.length; i++) sum += sizes[i] ?? 0
  return sum
}
