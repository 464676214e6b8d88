import { basename } from "node:path"
import { Effect } from "effect"
import type { PolicyName } from "../Policy.ts"
import { type ByPolicy, type ConversationResult, named, type ReplayResult } from "../run.ts"
import { missCauses, type Totals } from "../Totals.ts"
import { count, percent, ratio, share, usd } from "../text.ts"
import { readAssets } from "./assets.ts"
import { mostCharts } from "./Chronicle.ts"
import { escape, option, page, table } from "./markup.ts"
import type { Chart } from "./page/data.ts"

/** What each policy sends, for people who have not read the help. */
const meanings: Readonly<Record<PolicyName, string>> = {
  none: "everything, perfectly cached",
  window: "the last messages only",
  seed: "summaries rebuilt at every request",
  sluice: "Sluice, as it is configured",
  "sluice-dollars": "Sluice, for few dollars",
  "sluice-tokens": "Sluice, for few tokens"
}

/** The policy that the report is about: Sluice, where it was played. */
const subject = (policies: ByPolicy): readonly [PolicyName, Totals] | undefined => {
  const all = named(policies)
  return all.find(([name]) => name.startsWith("sluice")) ?? all[0]
}

const card = (label: string, figure: string, note: string): string =>
  `<div class="card"><dt>${escape(label)}</dt><dd class="figure">${escape(figure)}</dd><dd class="muted small">${escape(note)}</dd></div>`

const cards = (policies: ByPolicy): string => {
  const [name, t] = subject(policies) ?? []
  if (name === undefined || t === undefined) return ""
  const { none } = policies
  const dollars =
    none === undefined || none === t
      ? card("Input dollars", usd(t.inputNanoUsd), `under ${name}`)
      : card(
          "Input dollars",
          `${ratio(t.inputNanoUsd, none.inputNanoUsd)} ×`,
          `${usd(t.inputNanoUsd)} instead of ${usd(none.inputNanoUsd)}`
        )
  return [
    '<dl class="cards">',
    card("Tokens sent", percent(1 - t.reduction), `${count(t.sentTokens)} of ${count(t.rawTokens)}`),
    dollars,
    card(
      "Recall",
      share(t.recall),
      `${count(t.recallHeld)} of ${count(t.recallNeeded)} identifiers from further back; everything: 1.00`
    ),
    card(
      "Largest request",
      count(t.maxRequestTokens),
      `tokens; ${count(t.compactions)} compactions, ${count(t.cacheMisses)} cache misses`
    ),
    "</dl>"
  ].join("")
}

const causes = ({ cacheMissesByCause }: Totals): string =>
  missCauses
    .filter((cause) => cacheMissesByCause[cause] > 0)
    .map((cause) => `${count(cacheMissesByCause[cause])} ${cause}`)
    .join(", ")

const policyTable = (policies: ByPolicy): string =>
  table(
    ["policy", "tokens sent", "reduction", "input", "largest", "compactions", "cache misses", "recall"],
    named(policies).map(([name, t]) => [
      [name, meanings[name]],
      count(t.sentTokens),
      percent(t.reduction),
      usd(t.inputNanoUsd),
      count(t.maxRequestTokens),
      count(t.compactions),
      [count(t.cacheMisses), causes(t)],
      share(t.recall)
    ]),
    "Policies compared"
  )

const mostRows = 500

const conversationRow = ({ conversation, policies }: ConversationResult): ReadonlyArray<string> => {
  const [name, t] = subject(policies) ?? []
  if (name === undefined || t === undefined) return [basename(conversation), "failed"]
  const { none } = policies
  return [
    basename(conversation),
    count(t.requests),
    count(t.rawTokens),
    count(t.sentTokens),
    percent(t.reduction),
    none === undefined ? "–" : usd(none.inputNanoUsd),
    usd(t.inputNanoUsd),
    none === undefined ? "–" : ratio(t.inputNanoUsd, none.inputNanoUsd),
    count(t.compactions),
    count(t.cacheMisses),
    share(t.recall)
  ]
}

const conversationTable = ({ conversations, policies }: ReplayResult): string => {
  const [name = ""] = subject(policies) ?? []
  const raw = (one: ConversationResult) => subject(one.policies)?.[1].rawTokens ?? 0
  const rows = conversations.toSorted((a, b) => raw(b) - raw(a)).slice(0, mostRows)
  const head = [
    "conversation",
    "requests",
    "raw tokens",
    "sent tokens",
    "reduction",
    "none",
    name,
    "ratio",
    "compactions",
    "misses",
    "recall"
  ]
  return table(head, rows.map(conversationRow), `Conversations under ${name}`)
}

const figure = (id: string, title: string, note: string): string =>
  `<figure><figcaption><h3>${escape(title)}</h3>${escape(note)}</figcaption><div class="legend" id="${id}-legend" aria-hidden="true"></div><div class="plot" id="${id}" role="img" aria-label="${escape(title)}"></div><details><summary>${escape(title)}: the figures</summary><div class="scroll high" id="${id}-table" tabindex="0" role="region" aria-label="${escape(title)}, figures"></div></details></figure>`

const pictures = (result: ReplayResult, charts: ReadonlyArray<Chart>): string => {
  if (charts.length === 0) return ""
  const fewer = result.conversations.length > charts.length
  const choice = charts.map(({ name, requests }, index) =>
    option(String(index), `${name} (${count(requests)} requests)`)
  )
  const [first] = subject(result.policies) ?? []
  const names = named(result.policies).map(([name]) => name)
  const ordered = names.toSorted((a, b) => Number(b === first) - Number(a === first))
  return [
    '<section aria-labelledby="pictures"><h2 id="pictures">One conversation at a time</h2><div class="controls">',
    `<label>Conversation <select id="conversation">${choice.join("")}</select></label>`,
    `<label>Policy <select id="policy">${ordered.map((name) => option(name, name)).join("")}</select></label>`,
    '<label><input type="checkbox" id="zoom"> Zoom in on what was sent</label></div>',
    fewer ? `<p class="muted small">The ${mostCharts} conversations with the most tokens have pictures.</p>` : "",
    figure(
      "sizes",
      "Context size",
      "Tokens of each request by band; the line is the whole history, dashes are compactions."
    ),
    figure("spending", "Input dollars of each request", "By kind, under the chosen policy."),
    figure("growing", "Input dollars added up", "Every policy on the same requests."),
    "<noscript>The pictures need JavaScript; the tables do not.</noscript></section>"
  ].join("")
}

const explained =
  "Recall: of the identifiers (paths, ids, numbers, names) that an answer used and that the last 30 messages did not mention, the share that stood in what was sent. " +
  "Cache miss: a request that read less than nine tenths of what the prompt before it had left in the prompt cache, because it was compacted, too late (cold), " +
  "too far from the last breakpoint (lookback), or began differently (moved)."

const bodyOf = (result: ReplayResult, charts: ReadonlyArray<Chart>): string => {
  const { conversations, model, policies, skippedLines } = result
  const requests = subject(policies)?.[1].requests ?? 0
  const skipped = skippedLines.length === 0 ? "" : ` ${count(skippedLines.length)} lines of the logs could not be read.`
  const about = `${count(conversations.length)} conversations, ${count(requests)} requests, at ${model}'s prices, with upstream's prompt caching modelled on the pauses between requests. Tokens are estimates.${skipped}`
  return [
    `<main><h1>What your transcripts would have cost</h1><p class="muted">${escape(about)}</p>`,
    cards(policies),
    `<section aria-labelledby="policies"><h2 id="policies">Policies</h2><div class="scroll" tabindex="0" role="region" aria-label="Policies">${policyTable(policies)}</div><p class="muted small note">${escape(explained)}</p></section>`,
    pictures(result, charts),
    `<section aria-labelledby="conversations"><h2 id="conversations">Conversations</h2><div class="scroll high" tabindex="0" role="region" aria-label="Conversations">${conversationTable(result)}</div></section>`,
    "</main>"
  ].join("\n")
}

/** The report as one HTML file that loads nothing: figures and names of files, no text of a conversation. */
export const htmlReport = Effect.fnUntraced(function* (
  result: ReplayResult,
  charts: ReadonlyArray<Chart>,
  prefixTokens: number
) {
  const read = yield* readAssets
  const assets = charts.length === 0 ? { ...read, scripts: [] } : read
  const data = { prefix: prefixTokens, charts }
  return page({ title: "Sluice: replay", body: bodyOf(result, charts), data, assets })
})
