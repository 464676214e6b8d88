// Runs in the report, behind charts.js, whose types and functions it uses.

/** @type {ChartData} */
const data = JSON.parse(byId("data").textContent ?? "")

const chosenConversation = /** @type {HTMLSelectElement} */ (byId("conversation"))
const chosenPolicy = /** @type {HTMLSelectElement} */ (byId("policy"))
const zoom = /** @type {HTMLInputElement} */ (byId("zoom"))

/** @param {number} n */
const tokens = (n) => {
  if (n < 1_000) return String(Math.round(n))
  return n < 1_000_000 ? `${(n / 1_000).toFixed(n < 10_000 ? 1 : 0)}k` : `${(n / 1_000_000).toFixed(1)}M`
}

/** @param {number} micro millionths of a dollar */
const dollars = (micro) => {
  const usd = micro / 1e6
  return `$${usd >= 1 ? usd.toFixed(2) : Number(usd.toPrecision(2))}`
}

/** @param {ReadonlyArray<number>} values */
const sum = (values) => values.reduce((a, b) => a + b, 0)

/** @param {Series} series */
const costs = (series) =>
  series.read.map((read, at) => read + (series.write5m[at] ?? 0) + (series.write1h[at] ?? 0) + (series.plain[at] ?? 0))

/** @param {ReadonlyArray<number>} values */
const running = (values) => {
  let total = 0
  return values.map((value) => {
    total += value
    return total
  })
}

/** @param {Chart} chart @param {Series} series @returns {Picture} */
const sizes = (chart, series) => {
  const whole = chart.raw.map((raw) => raw + data.prefix)
  const stack = [
    { label: "fixed prefix", colour: "prefix", values: series.old.map(() => data.prefix) },
    { label: "old", colour: "old", values: series.old },
    { label: "mid", colour: "mid", values: series.mid },
    { label: "recent", colour: "recent", values: series.recent }
  ]
  const last = sum(stack.map(({ values }) => values.at(-1) ?? 0))
  return {
    id: "sizes",
    label: `Context size in tokens over ${chart.requests} requests, by band. At the end ${tokens(last)}, everything ${tokens(whole.at(-1) ?? 0)}. ${series.compactions.length} points with compactions.`,
    every: chart.every,
    stack: data.prefix > 0 ? stack : stack.slice(1),
    lines: [{ label: "everything", colour: "none", values: whole }],
    bars: false,
    marks: series.compactions.length > 60 ? [] : series.compactions,
    format: tokens,
    zoomed: zoom.checked
  }
}

/** @param {Chart} chart @param {Series} series @returns {Picture} */
const spending = (chart, series) => ({
  id: "spending",
  label: `Input dollars of each request by kind, ${dollars(sum(costs(series)))} in all.`,
  every: chart.every,
  stack: [
    { label: "cache read", colour: "read", values: series.read },
    { label: "write, 5 min", colour: "write5m", values: series.write5m },
    { label: "write, 1 h", colour: "write1h", values: series.write1h },
    { label: "uncached", colour: "plain", values: series.plain }
  ],
  lines: [],
  bars: true,
  marks: [],
  format: dollars,
  zoomed: false
})

/** @type {Readonly<Record<string, string>>} */
const colours = { none: "none", window: "window", seed: "seed", sluice: "sluice" }

/** @param {Chart} chart @returns {Picture} */
const growing = (chart) => {
  const lines = Object.entries(chart.policies).map(([name, series]) => ({
    label: name,
    colour: colours[name] ?? "other",
    values: running(costs(series))
  }))
  const ends = lines.map(({ label, values }) => `${label} ${dollars(values.at(-1) ?? 0)}`)
  return {
    id: "growing",
    label: `Input dollars added up, by policy. At the end: ${ends.join(", ")}.`,
    every: chart.every,
    stack: [],
    lines,
    bars: false,
    marks: [],
    format: dollars,
    zoomed: false
  }
}

/** @param {string} kind @param {string} text */
const cell = (kind, text) => {
  const made = document.createElement(kind)
  made.textContent = text
  if (kind === "th") made.setAttribute("scope", "col")
  return made
}

/** The figures of a picture, built when somebody opens them. @param {Picture} picture */
const fillTable = (picture) => {
  const layers = [...picture.stack, ...picture.lines]
  const table = document.createElement("table")
  table
    .createTHead()
    .insertRow()
    .append(cell("th", "request"), ...layers.map(({ label }) => cell("th", label)))
  const body = table.createTBody()
  for (const at of layers[0]?.values.keys() ?? []) {
    body
      .insertRow()
      .append(
        cell("td", String((at + 1) * picture.every)),
        ...layers.map(({ values }) => cell("td", picture.format(values[at] ?? 0)))
      )
  }
  byId(`${picture.id}-table`).replaceChildren(table)
}

/** Not every policy could play every conversation. @param {Chart} chart */
const offer = (chart) => {
  const options = Array.from(chosenPolicy.options)
  for (const option of options) option.disabled = !(option.value in chart.policies)
  if (chosenPolicy.selectedOptions[0]?.disabled !== false) {
    chosenPolicy.value = options.find(({ disabled }) => !disabled)?.value ?? ""
  }
}

const pictures = () => {
  const chart = data.charts[Number(chosenConversation.value)]
  if (chart === undefined) return []
  offer(chart)
  const series = chart.policies[chosenPolicy.value]
  if (series === undefined) return []
  return [sizes(chart, series), spending(chart, series), growing(chart)]
}

const show = () => {
  for (const picture of pictures()) {
    draw(picture)
    const details = byId(`${picture.id}-table`).closest("details")
    if (details?.open === true) fillTable(picture)
  }
}

const start = () => {
  for (const control of [chosenConversation, chosenPolicy, zoom]) control.addEventListener("change", show)
  for (const { id } of pictures()) {
    const details = byId(`${id}-table`).closest("details")
    details?.addEventListener("toggle", () => {
      const picture = pictures().find((one) => one.id === id)
      if (details.open && picture !== undefined) fillTable(picture)
    })
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show)
  let width = 0
  new ResizeObserver(() => {
    if (byId("sizes").clientWidth === width) return
    width = byId("sizes").clientWidth
    show()
  }).observe(byId("sizes"))
}

if (data.charts.length > 0) start()
