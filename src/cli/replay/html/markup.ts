import { hash } from "node:crypto"
import type { Assets } from "./assets.ts"

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

/** Text for HTML, in elements and in attributes. */
export const escape = (text: string): string => text.replace(/[&<>"']/g, (char) => entities[char] ?? char)

/** JSON for a script element: nothing in it ends the element or begins a comment. */
export const jsonIn = (value: unknown): string => JSON.stringify(value).replaceAll("<", "\\u003c")

/** A cell of a table: its text, and perhaps a remark below it. */
export type Cell = string | readonly [text: string, remark: string]

const cellBody = (cell: Cell): string => {
  if (typeof cell === "string") return escape(cell)
  const [text, remark] = cell
  return `${escape(text)}<small>${escape(remark)}</small>`
}

export const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<Cell>>, caption: string): string =>
  [
    `<table aria-label="${escape(caption)}"><thead><tr>`,
    ...head.map((cell) => `<th scope="col">${escape(cell)}</th>`),
    "</tr></thead><tbody>",
    ...rows.map(
      ([first = "", ...cells]) =>
        `<tr><th scope="row">${cellBody(first)}</th>${cells.map((cell) => `<td>${cellBody(cell)}</td>`).join("")}</tr>`
    ),
    "</tbody></table>"
  ].join("")

export const option = (value: string, label: string): string =>
  `<option value="${escape(value)}">${escape(label)}</option>`

const sources = (texts: ReadonlyArray<string>): string =>
  texts.length === 0 ? "'none'" : texts.map((text) => `'sha256-${hash("sha256", text, "base64")}'`).join(" ")

/** A text inside a comment must not end it. */
const comment = (text: string): string => `<!-- ${text.replaceAll("--", "- -")} -->`

export interface Page {
  readonly title: string
  readonly body: string
  readonly data: unknown
  readonly assets: Assets
}

/** One file that holds everything and may load nothing: scripts and styles are allowed by their hashes. */
export const page = ({ assets, body, data, title }: Page): string => {
  const policy = [
    "default-src 'none'",
    `script-src ${sources(assets.scripts)}`,
    `style-src ${sources(assets.css)}`,
    "base-uri 'none'",
    "form-action 'none'"
  ].join("; ")
  return [
    '<!doctype html><html lang="en"><head><meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="${escape(policy)}">`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    `<title>${escape(title)}</title>`,
    ...assets.css.map((css) => `<style>${css}</style>`),
    `</head><body>${body}`,
    `<script type="application/json" id="data">${jsonIn(data)}</script>`,
    comment(`uPlot\n${assets.licence}`),
    ...assets.scripts.map((script) => `<script>${script}</script>`),
    "</body></html>\n"
  ].join("\n")
}
