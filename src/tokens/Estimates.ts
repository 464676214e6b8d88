import { isThinking, type Message } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import { promptTokens, type Usage } from "../domain/Usage.ts"
import type { Model, ModelCatalog } from "../models/ModelCatalog.ts"
import type { Calibrations } from "./Calibrations.ts"
import { boundOf, learn, messageBoundOf } from "./calibration.ts"
import type { Estimate } from "./Estimate.ts"
import { type Found, Memory } from "./Memory.ts"
import { makeMeasure } from "./measure.ts"
import { look, messageTokens, type Prompt } from "./Prompt.ts"

/** Tokens. No prompt is longer: a usage beyond it is about something else. */
const longestPrompt = 20_000_000
/** A usage below this share of the estimate does not cover the whole prompt. */
const leastCovered = 1 / 3
/** Of a prompt seen for the first time, how far off its estimate may be to learn from it: logs lack system and tools. */
const wholePrompt = { least: 0.75, most: 4 / 3, tokens: 1_000 }
/** A shell is known from a prompt whose messages are few, unless it would be this far from its estimate. */
const shellProof = { messages: 8_000, share: 0.4, tokens: 2_000 }

/** What a client adds unseen to a step grows with the conversation: changed files, lists of tasks. */
const grownBound = 1.003

const rounded = (tokens: number, upperBound: number): Estimate => {
  const whole = Math.max(0, Math.round(tokens))
  return { tokens: whole, upperBound: Math.max(whole, Math.ceil(upperBound)) }
}

/** Models that the catalogue does not know learn together: clients make their names up. */
const learnerOf = (model: Model): string => (model.estimated ? `unknown ${model.family}` : model.id)

/**
 * Tokens of the answer that upstream counted when it wrote it, if that is what came back as the next message: it holds
 * thinking whole, of which the text shows a summary. Some logs hold a placeholder, and some clients leave thinking out.
 */
const answerTokens = (message: Message | undefined, size: number, output: number): number | undefined => {
  if (message?.role !== "assistant") return undefined
  const thinks = typeof message.content !== "string" && message.content.some(isThinking)
  const [least, most] = thinks ? [0.4 * size, 30 * size] : [0.7 * size, 1.4 * size + 20]
  return output > least && output < most ? output : undefined
}

/** A prompt whose beginning was observed: what upstream counted of it, and the uncalibrated estimate of the rest. */
const split = (prompt: Prompt, { anchor, messages }: Found, all: ReadonlyArray<Message>) => {
  const answer = answerTokens(all[messages], prompt.sizes[messages] ?? 0, anchor.output)
  return answer === undefined
    ? { known: anchor.prompt, fresh: messageTokens(prompt, messages) }
    : { known: anchor.prompt + answer, fresh: messageTokens(prompt, messages + 1) }
}

/** The estimator itself: synchronous, and without persistence. */
export class Estimates {
  private readonly measure = makeMeasure()
  private readonly memory = new Memory()
  private readonly catalog: ModelCatalog["Service"]
  private readonly calibrations: Calibrations

  constructor(catalog: ModelCatalog["Service"], calibrations: Calibrations) {
    this.catalog = catalog
    this.calibrations = calibrations
  }

  estimate(request: MessagesRequest): Estimate {
    const model = this.catalog.get(request.model)
    const prompt = look(request, model, this.measure)
    const calibration = this.calibrations.get(learnerOf(model))
    const found = this.memory.find(prompt)
    if (found !== undefined) {
      const { fresh, known } = split(prompt, found, request.messages)
      const tokens = fresh * calibration.factor
      return rounded(known + tokens, fresh === 0 ? known : known * grownBound + boundOf(tokens, calibration))
    }
    const shell = this.memory.shell(prompt) ?? prompt.shell * calibration.factor
    const tokens = shell + messageTokens(prompt) * calibration.factor
    return rounded(tokens, boundOf(tokens, calibration))
  }

  message(message: Message, modelId: string): Estimate {
    return this.sized(this.measure.message(message), modelId)
  }

  text(text: string, modelId: string): Estimate {
    return this.sized(this.measure.text(text), modelId)
  }

  private sized(size: { readonly old: number; readonly new: number }, modelId: string): Estimate {
    const model = this.catalog.get(modelId)
    const calibration = this.calibrations.get(learnerOf(model))
    const tokens = size[model.tokenizer] * calibration.factor
    return rounded(tokens, messageBoundOf(tokens, calibration))
  }

  observe(request: MessagesRequest, usage: Usage): void {
    const actual = promptTokens(usage)
    if (!(actual > 0 && actual < longestPrompt)) return
    const model = this.catalog.get(request.model)
    const prompt = look(request, model, this.measure)
    if (actual < (prompt.shell + messageTokens(prompt)) * leastCovered) return
    const found = this.memory.find(prompt)
    if (found === undefined) this.learnWhole(prompt, actual, model)
    else {
      const { fresh, known } = split(prompt, found, request.messages)
      this.learn(model, fresh, actual - known)
    }
    this.memory.keep(prompt, { prompt: actual, output: usage.output })
  }

  private learn(model: Model, estimated: number, actual: number): void {
    const learner = learnerOf(model)
    this.calibrations.set(learner, learn(this.calibrations.get(learner), { estimated, actual }))
  }

  private learnWhole(prompt: Prompt, actual: number, model: Model): void {
    const messages = messageTokens(prompt)
    const estimated = prompt.shell + messages
    const { factor } = this.calibrations.get(learnerOf(model))
    const ratio = actual / (estimated * factor)
    if (estimated >= wholePrompt.tokens && ratio > wholePrompt.least && ratio < wholePrompt.most) {
      this.learn(model, estimated, actual)
    }
    const shell = actual - messages * factor
    const off = Math.abs(shell - prompt.shell * factor)
    if (
      prompt.shell > 0 &&
      messages < shellProof.messages &&
      off < shellProof.share * prompt.shell + shellProof.tokens
    ) {
      this.memory.keepShell(prompt, Math.max(0, shell))
    }
  }
}
