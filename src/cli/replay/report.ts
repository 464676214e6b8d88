import { basename } from "node:path"
import type { Totals } from "./Meter.ts"
import { type PolicyName, policyNames } from "./Policy.ts"
import type { ByPolicy, ReplayResult } from "./run.ts"

const count = (n: number): string => n.toLocaleString("en-US")
const usd = (nano: number): string => `$${(nano / 1e9).toFixed(nano < 1e9 ? 4 : 2)}`
const ratio = (a: number, b: number): string => (b === 0 ? "–" : (a / b).toFixed(2))

const table = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  ")
    )
    .join("\n")
}

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
  "seconds"
]

const row = (name: string, t: Totals): ReadonlyArray<string> => [
  name,
  count(t.requests),
  count(t.rawTokens),
  count(t.sentTokens),
  `${(100 * t.reduction).toFixed(1)} %`,
  usd(t.inputNanoUsd),
  usd(t.outputNanoUsd),
  count(t.maxRequestTokens),
  count(t.compactions),
  (t.elapsedMs / 1000).toFixed(1)
]

const named = (policies: ByPolicy): ReadonlyArray<readonly [PolicyName, Totals]> =>
  policyNames.flatMap((name) => {
    const totals = policies[name]
    return totals === undefined ? [] : [[name, totals] as const]
  })

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

const mostSkipped = 10

const skipped = (lines: ReplayResult["skippedLines"]): ReadonlyArray<string> =>
  lines.length === 0
    ? []
    : [
        `${count(lines.length)} lines skipped:`,
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
    `${count(result.conversations.length)} conversations at ${result.model}'s prices, prompt caching modelled:`,
    table([head, ...all]),
    ...against(result.policies),
    ...failed(result),
    ...skipped(result.skippedLines)
  ].join("\n")
}
