import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { Model } from "../models/ModelCatalog.ts"
import { answered } from "./answered.ts"
import { Fingerprint } from "./Fingerprint.ts"
import type { Measure } from "./measure.ts"
import { toolOverhead } from "./shell.ts"

/** A prompt, looked at once. Tokens are uncalibrated. */
export interface Prompt {
  /** System prompt, tools, and what tools cost besides. */
  readonly shell: number
  /** By message. */
  readonly sizes: Float64Array
  /** `chain[i]` is the fingerprint of model, system, tools and the first `i` messages. */
  readonly chain: Float64Array
}

/** Looks at a prompt: scans what is new in it, and adds up. */
export const look = (request: MessagesRequest, model: Model, measure: Measure): Prompt => {
  const shell = measure.shell(request)
  const overhead = toolOverhead(request, model)
  const sizes = new Float64Array(request.messages.length)
  const chain = new Float64Array(sizes.length + 1)
  let print = new Fingerprint(shell.print).text(model.id).number(overhead).value()
  chain[0] = print
  let i = 0
  for (const message of request.messages) {
    const size = measure.message(answered(request.messages, i, message))
    sizes[i++] = size[model.tokenizer]
    print = new Fingerprint(print).number(size.print).value()
    chain[i] = print
  }
  return { shell: shell[model.tokenizer] + overhead, sizes, chain }
}

/** Tokens of the messages from `from` on. */
export const messageTokens = ({ sizes }: Prompt, from = 0): number => {
  let sum = 0
  for (let i = from; i < sizes.length; i++) sum += sizes[i] ?? 0
  return sum
}
