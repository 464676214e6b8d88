import { Predicate } from "effect"
import { LRUCache } from "lru-cache"
import type { Message } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import type { TokenizerGeneration } from "../models/ModelCatalog.ts"
import { breakpoint, Fingerprint } from "./Fingerprint.ts"
import { noVisits, scan, stateWeights, type Visits } from "./scan.ts"
import { walkSystem, walkTools } from "./shell.ts"
import { type Sink, walkMessage } from "./walk.ts"
import { type Item, items, weights } from "./weights.ts"

/** Uncalibrated tokens by generation, and a fingerprint of the content. */
export interface Size extends Readonly<Record<TokenizerGeneration, number>> {
  readonly print: number
  /** Ids of its tool calls, and of the calls that it answers. */
  readonly calls: ReadonlyArray<string>
  readonly answers: ReadonlyArray<string>
}

const none: ReadonlyArray<string> = []
const nothing: Size = { old: 0, new: 0, print: 0, calls: none, answers: none }

/** Sizes remembered by content, for messages that come back in new objects. A few dozen bytes each. */
const remembered = 50_000

const stateWeight = { old: stateWeights(weights.old.text), new: stateWeights(weights.new.text) }

const product = (visits: Visits, by: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < by.length; i++) sum += (visits[i] ?? 0) * (by[i] ?? 0)
  return sum
}

type Walk = (sink: Sink) => void

const jsonOf = (value: unknown): string =>
  JSON.stringify(Predicate.hasProperty(value, breakpoint) ? { ...value, [breakpoint]: undefined } : value) ?? ""

/** Told apart by what they are: equal strings in other places cost other tokens. */
const mark = { text: -1, thinking: -2, json: -3, call: -4, answer: -5 }

const fingerprintOf = (walk: Walk): number => {
  const print = new Fingerprint()
  const texts = (kind: number) => (text: string) => void print.number(kind).text(text)
  walk({
    text: texts(mark.text),
    thinking: texts(mark.thinking),
    call: texts(mark.call),
    answer: texts(mark.answer),
    json: (value) => void print.number(mark.json).json(value),
    count: (item, n) => void print.number(items.indexOf(item)).number(n)
  })
  return print.value()
}

const sizeOf = (walk: Walk, print: number): Size => {
  const texts = noVisits()
  const thinking = noVisits()
  const counts: Array<readonly [item: Item, n: number]> = []
  const calls: Array<string> = []
  const answers: Array<string> = []
  walk({
    text: (text) => scan(text, texts),
    thinking: (text) => scan(text, thinking),
    call: (id) => void calls.push(id),
    answer: (id) => void answers.push(id),
    json: (value) => scan(jsonOf(value), texts),
    count: (item, n) => void counts.push([item, n])
  })
  const tokens = (generation: TokenizerGeneration): number => {
    const { items, thinking: factor } = weights[generation]
    const by = stateWeight[generation]
    return counts.reduce((sum, [item, n]) => sum + n * items[item], product(texts, by) + factor * product(thinking, by))
  }
  return {
    old: tokens("old"),
    new: tokens("new"),
    print,
    calls: calls.length === 0 ? none : calls,
    answers: answers.length === 0 ? none : answers
  }
}

/** Sizes of content, each scanned once: known by identity, else by fingerprint, else walked and scanned. */
export const makeMeasure = () => {
  const byIdentity = new WeakMap<object, Size>()
  const byPrint = new LRUCache<number, Size>({ max: remembered })

  const measured = (walk: Walk): Size => {
    const print = fingerprintOf(walk)
    const known = byPrint.get(print)
    if (known !== undefined) return known
    const size = sizeOf(walk, print)
    byPrint.set(print, size)
    return size
  }

  const once = (content: object, walk: Walk): Size => {
    const known = byIdentity.get(content)
    if (known !== undefined) return known
    const size = measured(walk)
    byIdentity.set(content, size)
    return size
  }

  const system = (system: MessagesRequest["system"]): Size => {
    if (system === undefined) return nothing
    const walk: Walk = (sink) => walkSystem(system, sink)
    return typeof system === "string" ? measured(walk) : once(system, walk)
  }

  return {
    message: (message: Message): Size => once(message, (sink) => walkMessage(message, sink)),
    /** System prompt and tools. */
    shell: (request: MessagesRequest): Size => {
      const { tools } = request
      const prompt = system(request.system)
      if (tools === undefined || tools.length === 0) return prompt
      const definitions = once(tools, (sink) => walkTools(tools, sink))
      return {
        ...nothing,
        old: prompt.old + definitions.old,
        new: prompt.new + definitions.new,
        print: new Fingerprint(prompt.print).number(definitions.print).value()
      }
    },
    text: (text: string): Size => measured((sink) => sink.text(text))
  }
}

export type Measure = ReturnType<typeof makeMeasure>
