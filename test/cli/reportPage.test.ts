import { rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect } from "effect"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { Chronicle } from "../../src/cli/replay/html/Chronicle.ts"
import { htmlReport } from "../../src/cli/replay/html/htmlReport.ts"
import { makeBench, type Recorder, replay } from "../../src/cli/replay/run.ts"
import { browserPath, launch } from "../dashboard/browser.ts"
import { accessibility, eventually } from "../dashboard/looking.ts"
import { folderOf, logOf, under } from "./logs.ts"

const missing = browserPath === undefined && process.env.CI !== "true"
const evil = "<img src=x onerror=window.hacked=1>.jsonl"

const makeReport = Effect.gen(function* () {
  const folder = yield* folderOf({ "long.jsonl": logOf(1, 60), [evil]: logOf(2, 25) })
  const { meter } = yield* makeBench(undefined, 2_000)
  const chronicle = new Chronicle(meter.model)
  const record: Recorder = (transcript, policy) => chronicle.record(transcript.name, policy)
  const onFile = () => Effect.void
  const options = { paths: [folder], policies: "all", model: undefined, prefixTokens: 2_000, onFile, record } as const
  return yield* htmlReport(yield* replay(options), chronicle.charts(), 2_000)
}).pipe(under({ MAX_CONTEXT_TOKENS: "25000" }), Effect.scoped)

/** How many different colours a picture holds: a blank one has one. */
const coloursIn = (page: Page, id: string): Promise<number> =>
  page.evaluate(`(() => {
    const canvas = document.querySelector("#${id} canvas")
    const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)
    return new Set(pixels).size
  })()`)

/** What it looks like, byte for byte. */
const imageOf = (page: Page, id: string): Promise<string> =>
  page.evaluate(`document.querySelector("#${id} canvas").toDataURL()`)

const pictures = ["sizes", "spending", "growing"]

describe.skipIf(missing)(`the replay report in a browser${missing ? " (no Chromium here: skipped)" : ""}`, () => {
  const file = join(tmpdir(), `sluice-report-${process.pid}.html`)
  const opened: Array<BrowserContext> = []
  let browser: Browser

  /** A page that notes whatever goes wrong or leaves the file. */
  const open = async (options: Parameters<Browser["newContext"]>[0] = {}) => {
    const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 900 }, ...options })
    opened.push(context)
    const page = await context.newPage()
    const wrong: Array<string> = []
    page.on("console", (message) => wrong.push(message.text()))
    page.on("pageerror", (error) => wrong.push(error.message))
    page.on("request", (request) => {
      if (request.url() !== pathToFileURL(file).href) wrong.push(request.url())
    })
    await page.goto(pathToFileURL(file).href)
    await eventually(async () => assert.strictEqual(await page.locator("canvas").count(), pictures.length))
    return { page, wrong }
  }

  beforeAll(async () => {
    await writeFile(file, await Effect.runPromise(makeReport))
    browser = await launch()
  })
  afterEach(() => Promise.all(opened.splice(0).map((context) => context.close())))
  afterAll(async () => {
    await browser?.close()
    await rm(file, { force: true })
  })

  for (const colorScheme of ["light", "dark"] as const) {
    it(`draws every picture, complains of nothing, asks for nothing else, and can be read by all (${colorScheme})`, async () => {
      const { page, wrong } = await open({ colorScheme })
      for (const id of pictures) assert.isAbove(await coloursIn(page, id), 3, id)
      assert.deepStrictEqual(await accessibility(page), [])
      assert.deepStrictEqual(wrong, [])
    })
  }

  it("shows the conversation and the policy that are chosen", async () => {
    const { page, wrong } = await open()
    const label = () => page.locator("#sizes").getAttribute("aria-label")
    const first = await label()
    await page.locator("#conversation").selectOption("1")
    const second = await label()
    assert.notStrictEqual(second, first)
    await page.locator("#policy").selectOption("none")
    assert.match((await label()) ?? "", /0 points with compactions/)
    assert.notStrictEqual(await label(), second)
    assert.strictEqual(await page.locator("canvas").count(), pictures.length)
    assert.deepStrictEqual(wrong, [])
  })

  it("draws on another scale when zoomed in", async () => {
    const { page } = await open()
    const whole = await imageOf(page, "sizes")
    await page.getByLabel("Zoom in on what was sent").check()
    await eventually(async () => assert.notStrictEqual(await imageOf(page, "sizes"), whole))
  })

  it("has every figure as a table, too", async () => {
    const { page } = await open()
    for (const id of pictures) {
      await page.locator(`details:has(#${id}-table) summary`).click()
      await eventually(async () => assert.isAbove(await page.locator(`#${id}-table tbody tr`).count(), 10))
    }
    const rows = await page.locator("#sizes-table tbody tr").count()
    const choice = (await page.locator("#conversation option").first().textContent()) ?? ""
    assert.include(choice, `(${rows} requests)`)
  })

  it("takes the name of a file as a name", async () => {
    const { page } = await open()
    assert.include(await page.locator("#conversation").innerText(), evil)
    assert.include(await page.locator("main").innerText(), evil)
    assert.isUndefined(await page.evaluate("window.hacked"))
  })

  it("fits a phone", async () => {
    const { page } = await open({ viewport: { width: 360, height: 740 } })
    assert.isAtMost(Number(await page.evaluate("document.documentElement.scrollWidth")), 360)
    const width = await page.evaluate("document.querySelector('#sizes .uplot').getBoundingClientRect().width")
    assert.isAtMost(Number(width), 360)
  })

  it("draws anew in the other colours when the machine turns dark", async () => {
    const { page } = await open({ colorScheme: "light" })
    const light = await imageOf(page, "growing")
    await page.emulateMedia({ colorScheme: "dark" })
    await eventually(async () => assert.notStrictEqual(await imageOf(page, "growing"), light))
  })
})
