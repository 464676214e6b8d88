// Runs in the report, behind uPlot and in front of page.js, which sees what stands here.

/**
 * @typedef {import("./data.ts").ChartData} ChartData
 * @typedef {import("./data.ts").Chart} Chart
 * @typedef {import("./data.ts").Series} Series
 * @typedef {import("./data.ts").Layer} Layer
 * @typedef {import("./data.ts").Picture} Picture
 * @typedef {import("uplot")} Plot
 */

// uPlot's own script has just put it there.
const { uPlot: Plot } = /** @type {{ uPlot: typeof import("uplot") }} */ (/** @type {unknown} */ (globalThis))

const height = 260

/** @param {string} id @returns {HTMLElement} */
const byId = (id) => {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`The page has no #${id}`)
  return found
}

/** A custom property comes unresolved (`light-dark(…)`); a real property comes as a colour. @param {string} name */
const colourOf = (name) => {
  const probe = document.createElement("span")
  probe.style.color = `var(--${name})`
  document.body.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

/** The layers, each on top of those before it. @param {ReadonlyArray<Layer>} stack */
const stacked = (stack) => {
  /** @type {Array<number>} */
  let below = []
  return stack.map(({ values }) => {
    below = values.map((value, index) => value + (below[index] ?? 0))
    return below
  })
}

/** @param {ReadonlyArray<ReadonlyArray<number>>} rows */
const highest = (rows) => rows.reduce((most, row) => row.reduce((a, b) => Math.max(a, b), most), 0)

/** @param {Picture} picture @returns {Array<Array<number>>} */
const dataOf = (picture) => {
  const points = picture.stack[0]?.values ?? picture.lines[0]?.values ?? []
  const numbers = points.map((_, index) => (index + 1) * picture.every)
  // The highest is painted first, so that each lower one covers its part.
  const layers = stacked(picture.stack).reverse()
  return [numbers, ...layers, ...picture.lines.map(({ values }) => Array.from(values))]
}

/** @param {Picture} picture */
const seriesOf = (picture) => {
  const bars = picture.bars ? Plot.paths.bars?.({ size: [0.92, 60], gap: 0 }) : undefined
  const layers = picture.stack.map(({ colour, label }) => {
    const fill = colourOf(colour)
    return { label, stroke: fill, fill, width: 0, points: { show: false }, ...(bars ? { paths: bars } : {}) }
  })
  const lines = picture.lines.map(({ colour, label }) => ({
    label,
    stroke: colourOf(colour),
    width: 2,
    points: { show: false }
  }))
  return [{}, ...layers.reverse(), ...lines]
}

/** A dashed line where a compaction happened. @param {Plot} plot @param {Picture} picture */
const drawMarks = (plot, picture) => {
  const { ctx } = plot
  const { height: tall, top } = plot.bbox
  ctx.save()
  ctx.strokeStyle = colourOf("mark")
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([3 * devicePixelRatio, 4 * devicePixelRatio])
  for (const at of picture.marks) {
    const x = Math.round(plot.valToPos((at + 1) * picture.every, "x", true))
    ctx.beginPath()
    ctx.moveTo(x, top)
    ctx.lineTo(x, top + tall)
    ctx.stroke()
  }
  ctx.restore()
}

/** @param {Picture} picture @param {number | null} index the point under the cursor; the last one otherwise */
const showLegend = (picture, index) => {
  const last = (picture.stack[0] ?? picture.lines[0])?.values.length ?? 0
  const at = index ?? last - 1
  const items = [...picture.stack, ...picture.lines].map(({ colour, label, values }) => {
    const item = document.createElement("span")
    const swatch = document.createElement("i")
    swatch.style.background = `var(--${colour})`
    item.append(swatch, `${label} ${picture.format(values[at] ?? 0)}`)
    return item
  })
  const where = document.createElement("span")
  where.className = "muted"
  where.textContent = `request ${(at + 1) * picture.every}`
  byId(`${picture.id}-legend`).replaceChildren(...items, where)
}

/** @param {Picture} picture */
const optionsOf = (picture) => {
  const muted = colourOf("muted")
  const font = "12px system-ui, sans-serif"
  const still = { show: false }
  const sums = stacked(picture.stack)
  const lines = picture.zoomed ? [] : picture.lines.map(({ values }) => values)
  const top = 1.06 * highest([...sums, ...lines])
  return {
    width: Math.max(160, byId(picture.id).clientWidth),
    height,
    padding: /** @type {[number, number, number, number]} */ ([10, 16, 0, 0]),
    legend: still,
    cursor: { y: false, points: still, drag: { x: false, y: false } },
    scales: { x: { time: false }, y: { range: /** @type {[number, number]} */ ([0, top === 0 ? 1 : top]) } },
    axes: [
      { stroke: muted, font, grid: still, ticks: still, size: 28, space: 60 },
      {
        stroke: muted,
        font,
        grid: { stroke: colourOf("line"), width: 1 },
        ticks: still,
        size: 64,
        space: 34,
        values: (/** @type {unknown} */ _, /** @type {Array<number>} */ at) => at.map(picture.format)
      }
    ],
    series: seriesOf(picture),
    hooks: {
      draw: [(/** @type {Plot} */ plot) => drawMarks(plot, picture)],
      setCursor: [(/** @type {Plot} */ plot) => showLegend(picture, plot.cursor.idx ?? null)]
    }
  }
}

/** @type {Map<string, Plot>} */
const drawn = new Map()

/** Draws a picture into its element, in place of what was there. @param {Picture} picture */
// biome-ignore lint/correctness/noUnusedVariables: page.js calls it
const draw = (picture) => {
  const host = byId(picture.id)
  drawn.get(picture.id)?.destroy()
  host.setAttribute("aria-label", picture.label)
  showLegend(picture, null)
  // uPlot's own types want a tuple that starts with the horizontal axis: dataOf gives it.
  const data = /** @type {import("uplot").AlignedData} */ (dataOf(picture))
  drawn.set(picture.id, new Plot(optionsOf(picture), data, host))
}
