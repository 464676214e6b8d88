import { basename } from "node:path"
import { type ByPolicy, named, type ReplayResult } from "./run.ts"
import { missCauses, type Totals } from "./Totals.ts"
import { count, counted, percent, ratio, share, table, usd } from "./text.ts"

const head = [
  "policy",
  "requests",
  "raw tokens",
  "sent tokens",
  "reduction",
  "input",
  "output",
  "largest",
  "compactions",
  "misses",
  "recall",
  "seconds"
]

const row = (name: string, t: Totals): ReadonlyArray<string> => [
  name,
  count(t.requests),
  count(t.rawTokens),
  count(t.sentTokens),
  percent(t.reduction),
  usd(t.inputNanoUsd),
  usd(t.outputNanoUsd),
  count(t.maxRequestTokens),
  count(t.compactions),
  count(t.cacheMisses),
  share(t.recall),
  (t.elapsedMs / 1000).toFixed(1)
]

const against = (policies: ByPolicy): ReadonlyArray<string> => {
  const { none } = policies
  if (none === undefined) return []
  return named(policies)
    .filter(([name]) => name !== "none")
    .map(
      ([name, t]) =>
        `${name} against none: ${ratio(t.sentTokens, none.sentTokens)} of the tokens, ${ratio(t.inputNanoUsd, none.inputNanoUsd)} of the input dollars`
    )
}

const misses = (policies: ByPolicy): ReadonlyArray<string> =>
  named(policies).flatMap(([name, { cacheMisses, cacheMissesByCause }]) => {
    const causes = missCauses.filter((cause) => cacheMissesByCause[cause] > 0)
    const split = causes.map((cause) => `${count(cacheMissesByCause[cause])} ${cause}`).join(", ")
    return cacheMisses === 0 ? [] : [`${name} missed the prompt cache ${counted(cacheMisses, "time")}: ${split}`]
  })

const mostSkipped = 10

const skipped = (lines: ReplayResult["skippedLines"]): ReadonlyArray<string> =>
  lines.length === 0
    ? []
    : [
        `${counted(lines.length, "line")} skipped:`,
        ...lines.slice(0, mostSkipped).map(({ file, line, reason }) => `  ${file}:${line}: ${reason}`),
        ...(lines.length > mostSkipped ? [`  … and ${count(lines.length - mostSkipped)} more (--json lists all)`] : [])
      ]

const failed = ({ conversations }: ReplayResult): ReadonlyArray<string> =>
  conversations.flatMap(({ conversation, failures }) =>
    Object.entries(failures ?? {}).map(([policy, reason]) => `${conversation} under ${policy}: ${reason}`)
  )

/** The result as people read it: a row a conversation and policy, the totals, the comparison, what was skipped. */
export const textReport = (result: ReplayResult): string => {
  const each = result.conversations.flatMap(({ conversation, policies }) =>
    named(policies).map(([name, totals]) => row(`${basename(conversation)} ${name}`, totals))
  )
  const all = named(result.policies).map(([name, totals]) => row(name, totals))
  return [
    ...(each.length > 0 ? [table([["conversation", ...head.slice(1)], ...each]), ""] : []),
    `${counted(result.conversations.length, "conversation")} at ${result.model}'s prices, prompt caching modelled:`,
    table([head, ...all]),
    ...against(result.policies),
    ...misses(result.policies),
    ...failed(result),
    ...skipped(result.skippedLines)
  ].join("\n")
}
