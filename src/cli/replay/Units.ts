import { sharedLength } from "../../context/SameMessages.ts"
import { blocksOf, type ContentBlock, type Message } from "../../domain/Message.ts"
import type { TokenEstimator } from "../../tokens/TokenEstimator.ts"

/** What weighs a piece of a prompt. */
interface Scales {
  readonly estimator: TokenEstimator["Service"]
  readonly model: string
}

/** How long upstream keeps what ends at a place of a prompt; false where it keeps nothing. */
export type Breakpoint = false | "5m" | "1h"

/** A piece of a prompt: a message, a block of one, or a text. */
export interface Unit {
  /** Equal keys are equal bytes, wherever breakpoints stand. */
  readonly key: Message | string
  readonly tokens: number
  /** Positions of upstream's lookback: one a block, one a run of tool calls or of results. */
  readonly positions: number
  readonly breakpoint: Breakpoint
}

/** What a prompt repeats of the one before it, in tokens without the fixed prefix. */
export interface Repeated {
  /** Up to a breakpoint of the earlier prompt that a breakpoint of this one looks back to. */
  readonly shared: number
  /** The same, for what upstream keeps for an hour. */
  readonly sharedLong: number
  /** What `shared` would be without the limit of the lookback. */
  readonly beyond: number
}

/** Upstream looks from each breakpoint back over so many positions, itself among them. */
const lookback = 20

const runs: ReadonlySet<string> = new Set(["tool_use", "tool_result"])

const opensPosition = ({ type }: ContentBlock, index: number, blocks: ReadonlyArray<ContentBlock>): boolean =>
  !(runs.has(type) && blocks[index - 1]?.type === type)

const lifetimeOf = (mark: unknown): Breakpoint => {
  if (typeof mark !== "object" || mark === null) return false
  return "ttl" in mark && mark.ttl === "1h" ? "1h" : "5m"
}

/** Block by block, weighing by their share of the whole message. */
const splitMessage = (message: Message, blocks: ReadonlyArray<ContentBlock>, scales: Scales): ReadonlyArray<Unit> => {
  const { estimator, model } = scales
  const alone = blocks.map((block): Message => ({ role: message.role, content: [block] }))
  const weights = alone.map((part) => estimator.message(part, model).tokens)
  const sum = weights.reduce((all, weight) => all + weight, 0)
  const whole = estimator.message(message, model).tokens
  return blocks.map((block, index) => ({
    key: alone[index] ?? message,
    tokens: sum === 0 ? 0 : Math.round(((weights[index] ?? 0) * whole) / sum),
    positions: opensPosition(block, index, blocks) ? 1 : 0,
    breakpoint: lifetimeOf(block.cache_control)
  }))
}

const unitsOf = (message: Message, scales: Scales): ReadonlyArray<Unit> => {
  const blocks = blocksOf(message.content)
  if (blocks.slice(0, -1).some((block) => "cache_control" in block)) return splitMessage(message, blocks, scales)
  const { tokens } = scales.estimator.message(message, scales.model)
  const breakpoint = lifetimeOf(blocks.at(-1)?.cache_control)
  return [{ key: message, tokens, positions: blocks.filter(opensPosition).length, breakpoint }]
}

/** A text that is neither a message nor a block of one. */
export const textUnit = (text: string, { estimator, model }: Scales): Unit => ({
  key: text,
  tokens: estimator.text(text, model).tokens,
  positions: 1,
  breakpoint: false
})

/** Splits messages at the breakpoints inside them; each message object is looked at once. */
export const makeUnits = (scales: Scales): ((messages: ReadonlyArray<Message>) => ReadonlyArray<Unit>) => {
  const known = new WeakMap<Message, ReadonlyArray<Unit>>()
  return (messages) =>
    messages.flatMap((message) => {
      const units = known.get(message) ?? unitsOf(message, scales)
      known.set(message, units)
      return units
    })
}

/** The request's own `cache_control`: a breakpoint at the very end. */
export const endingWith = (units: ReadonlyArray<Unit>, cacheControl: unknown): ReadonlyArray<Unit> => {
  const [last] = units.slice(-1)
  const breakpoint = lifetimeOf(cacheControl)
  return last === undefined || last.breakpoint !== false || breakpoint === false
    ? units
    : [...units.slice(0, -1), { ...last, breakpoint }]
}

/** Where each unit ends, in positions from the beginning. */
const ends = (units: ReadonlyArray<Unit>): ReadonlyArray<number> => {
  let sum = 0
  return units.map((unit) => {
    sum += unit.positions
    return sum
  })
}

const equal = ({ key: a }: Unit, { key: b }: Unit): boolean =>
  a === b || (typeof a === "object" && typeof b === "object" && sharedLength([a], [b]) === 1)

/** What `now` repeats of `before`, as upstream finds it: at breakpoints of `before`, by looking back from its own. */
export const repeated = (before: ReadonlyArray<Unit>, now: ReadonlyArray<Unit>): Repeated => {
  const at = ends(now)
  const looking = now.flatMap(({ breakpoint }, index) => (breakpoint === false ? [] : [index]))
  const found = (index: number): boolean =>
    looking.some((from) => from >= index && (at[from] ?? 0) - (at[index] ?? 0) < lookback)
  let [shared, sharedLong, beyond, sum] = [0, 0, 0, 0]
  for (const [index, unit] of now.entries()) {
    const old = before[index]
    if (old === undefined || !equal(old, unit)) break
    sum += unit.tokens
    if (old.breakpoint === false) continue
    beyond = sum
    if (!found(index)) continue
    shared = sum
    if (old.breakpoint === "1h") sharedLong = sum
  }
  return { shared, sharedLong, beyond }
}

export const tokensOf = (units: ReadonlyArray<Unit>): number => units.reduce((sum, unit) => sum + unit.tokens, 0)

/** Tokens up to the last breakpoint that is kept for an hour. */
export const longTokens = (units: ReadonlyArray<Unit>): number =>
  tokensOf(units.slice(0, units.findLastIndex((unit) => unit.breakpoint === "1h") + 1))
