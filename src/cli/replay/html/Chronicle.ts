import { basename } from "node:path"
import { promptTokens } from "../../../domain/Usage.ts"
import type { Model } from "../../../models/ModelCatalog.ts"
import type { PolicyName } from "../Policy.ts"
import type { Played } from "../play.ts"
import type { Chart, Series } from "./page/data.ts"

/** A picture has at most so many points; the report so many conversations, those with the most tokens. */
const mostPoints = 500
export const mostCharts = 40

type Costs = Readonly<Record<"read" | "write5m" | "write1h" | "plain", number>>

/** Input dollars by kind, in millionths. */
const costsOf = ({ usage }: Played, { longContext, prices }: Model): Costs => {
  const long = longContext !== undefined && promptTokens(usage) > longContext.above
  const rates = long ? longContext.prices : prices
  const micro = (tokens: number, nanoUsd: number) => Math.round((tokens * nanoUsd) / 1_000)
  return {
    read: micro(usage.cacheRead, rates.cacheRead),
    write5m: micro(usage.cacheWrite5m, rates.cacheWrite5m),
    write1h: micro(usage.cacheWrite1h, rates.cacheWrite1h),
    plain: micro(usage.input, rates.input)
  }
}

/** `of` for every run of `size` items, the last one perhaps shorter. */
const groups = <A, B>(items: ReadonlyArray<A>, size: number, of: (group: ReadonlyArray<A>) => B): ReadonlyArray<B> =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, at) => of(items.slice(at * size, (at + 1) * size)))

const seriesOf = (played: ReadonlyArray<Played>, every: number, model: Model): Series => {
  const last = (of: (one: Played) => number) =>
    groups(played, every, (group) => group.slice(-1).reduce((_, one) => of(one), 0))
  const costs = played.map((one) => costsOf(one, model))
  const sum = (kind: keyof Costs) => groups(costs, every, (group) => group.reduce((all, one) => all + one[kind], 0))
  const compacted = groups(played, every, (group) => group.some(({ prompt }) => prompt.compaction))
  return {
    old: last(({ prompt }) => prompt.bands.old),
    mid: last(({ prompt }) => prompt.bands.mid),
    recent: last(({ prompt }) => Math.max(0, prompt.tokens - prompt.bands.old - prompt.bands.mid)),
    read: sum("read"),
    write5m: sum("write5m"),
    write1h: sum("write1h"),
    plain: sum("plain"),
    compactions: compacted.flatMap((happened, at) => (happened ? [at] : []))
  }
}

interface Kept {
  readonly chart: Chart
  readonly tokens: number
}

/** Writes down what each request of a replay was, for pictures: bounded in conversations and in points. */
export class Chronicle {
  private kept: ReadonlyArray<Kept> = []
  private current: { readonly name: string; readonly policies: Map<PolicyName, Array<Played>> } | undefined
  private readonly model: Model

  constructor(model: Model) {
    this.model = model
  }

  /**
   * Takes the requests of one conversation under one policy; conversations come one after the other. A policy that could
   * not play to the end has no picture.
   */
  record(conversation: string, policy: PolicyName): (played: Played) => void {
    if (this.current?.name !== conversation) {
      this.close()
      this.current = { name: conversation, policies: new Map() }
    }
    const played: Array<Played> = []
    this.current.policies.set(policy, played)
    return (one) => void played.push(one)
  }

  /** Pictures of the conversations with the most tokens, longest first. */
  charts(): ReadonlyArray<Chart> {
    this.close()
    return this.kept.map(({ chart }) => chart)
  }

  private close(): void {
    const { current } = this
    this.current = undefined
    const [longest = []] = Array.from(current?.policies.values() ?? []).sort((a, b) => b.length - a.length)
    if (current === undefined || longest.length === 0) return
    const every = Math.ceil(longest.length / mostPoints)
    const chart: Chart = {
      name: basename(current.name),
      requests: longest.length,
      every,
      raw: groups(longest, every, (group) => group.slice(-1).reduce((_, { raw }) => raw, 0)),
      policies: Object.fromEntries(
        Array.from(current.policies)
          .filter(([, played]) => played.length === longest.length)
          .map(([policy, played]) => [policy, seriesOf(played, every, this.model)])
      )
    }
    const tokens = longest.reduce((sum, { raw }) => sum + raw, 0)
    this.kept = [...this.kept, { chart, tokens }].sort((a, b) => b.tokens - a.tokens).slice(0, mostCharts)
  }
}
