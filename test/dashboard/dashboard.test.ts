import { setTimeout as sleep } from "node:timers/promises"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { afterAll, afterEach, assert, beforeAll, describe, it } from "vitest"
import { browserPath, launch } from "./browser.ts"
import { flooding, framesPerSecond, heapOf } from "./flood.ts"
import { ask, converse, prose, say } from "./load.ts"
import { accessibility, eventually, json, textOf } from "./looking.ts"
import { ensureBuilt, type Running, running } from "./running.ts"

const views = ["now", "money", "cache", "context", "requests"]
const adminToken = "the-administrators-own-token"
const missing = browserPath === undefined && process.env.CI !== "true"

/** What a person would see of a running Sluice. One server and one browser for all; each test has a page of its own. */
describe.skipIf(missing)(`the dashboard in a browser${missing ? " (no Chromium here: skipped)" : ""}`, () => {
  let sluice: Running
  let browser: Browser
  let conversation: string
  const opened: Array<BrowserContext> = []

  const open = async (path = "", options: Parameters<Browser["newContext"]>[0] = {}, token?: string): Promise<Page> => {
    const context = await browser.newContext({ locale: "en-US", viewport: { width: 1280, height: 900 }, ...options })
    opened.push(context)
    if (token !== undefined) await context.addInitScript(`sessionStorage.setItem("sluice-token", "${token}")`)
    const page = await context.newPage()
    await page.goto(`${sluice.url}/${path}`)
    return page
  }

  const api = (path: string) => json(`${sluice.url}${path}`, adminToken)

  beforeAll(async () => {
    await ensureBuilt()
    const env = {
      ADMIN_TOKEN: adminToken,
      COST_DAILY_BUDGET_USD: "0.05",
      RATE_LIMIT_TOKENS_PER_MINUTE: "40000",
      MAX_CONTEXT_TOKENS: "9000",
      RECENT_MESSAGES_FULL: "6",
      MID_RANGE_MESSAGES: "12"
    }
    ;[sluice, browser] = await Promise.all([running({ env }), launch()])
    conversation = await converse(sluice.url, "A talk", adminToken)
    for (const step of [1, 2, 3]) {
      await say(sluice.url, { conversation, content: prose(`step ${step}`, 300), agent: "coder", token: adminToken })
    }
    for (const text of ["one", "two", "two"]) await ask(sluice.url, { text })
  })

  afterEach(() => Promise.all(opened.splice(0).map((context) => context.close())))
  afterAll(async () => {
    await browser?.close()
    await sluice?.dispose()
  })

  it("shows the numbers of the API", async () => {
    const page = await open()
    await page.getByText("Live", { exact: true }).waitFor()
    const [costs, cache] = [await api("/api/metrics/costs"), await api("/api/metrics/cache")]
    await eventually(async () => {
      assert.equal(await textOf(page, '[data-figure="requests"]'), String(costs.today.requests))
    })
    const cents = new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: 6 })
    const shown = await textOf(page, '[data-figure="cost"]')
    assert.closeTo(
      Number(shown.slice(1)),
      costs.today.cost.usd,
      0.00005,
      `${shown} is ${cents.format(costs.today.cost.usd)}`
    )

    await page.getByRole("link", { name: "Cache", exact: true }).click()
    for (const key of ["entries", "hits", "misses", "coalesced", "evictions"] as const) {
      assert.equal(await textOf(page, `[data-figure="${key}"]`), String(cache[key]), key)
    }
    const rate = new Intl.NumberFormat("en-US", { style: "percent", maximumFractionDigits: 1 })
    assert.equal(await textOf(page, '[data-figure="hit-rate"]'), rate.format(cache.hitRate))

    await page.getByRole("link", { name: "Money", exact: true }).click()
    const title = await page.locator('[data-figure="today"]').getAttribute("title")
    assert.equal(Number(title?.replace(/[$,]/g, "")), costs.today.cost.nanoUsd / 1e9, "hover shows exact dollars")
    const cached = await page.locator('[data-figure="saved-cache"]').getAttribute("title")
    assert.equal(Number(cached?.replace(/[$,]/g, "")), costs.total.savedBy.cache.nanoUsd / 1e9)
  })

  it("names conversations by their titles, and writes the dollars of a column with the same decimals", async () => {
    const page = await open("#/money", {}, adminToken)
    await page.getByRole("link", { name: "A talk", exact: true }).waitFor()
    const decimals = (texts: ReadonlyArray<string>) => new Set(texts.map((text) => text.split(".")[1]?.length))
    const tables = page.getByRole("table").filter({ has: page.getByRole("columnheader", { name: "Cost" }) })
    assert.isAtLeast(await tables.count(), 4)
    for (const table of await tables.all()) {
      const costs = await table.locator("td.cost").allInnerTexts()
      assert.equal(decimals(costs).size, 1, costs.join())
    }
    await page.goto(`${sluice.url}/#/requests`)
    const costs = page.locator("td.cost")
    await eventually(async () => assert.isAtLeast(await costs.count(), 4))
    assert.equal(decimals(await costs.allInnerTexts()).size, 1)
  })

  it("tells each request as it happens, filters them, and shows where its time went", async () => {
    const page = await open("#/requests")
    await page.getByText("Live", { exact: true }).waitFor()
    await ask(sluice.url, { text: "heard at once", agent: "a-new-agent" })
    await page.getByRole("cell", { name: "a-new-agent" }).waitFor({ timeout: 5_000 })
    await page.locator('[data-filter="cache"]').selectOption("hit")
    await eventually(async () => {
      const caches = await page.locator("tbody td:nth-child(5)").allInnerTexts()
      assert.isNotEmpty(caches)
      assert.isTrue(caches.every((text) => text === "hit"))
    })
    await page.getByRole("button", { name: "Reset" }).click()
    await page.getByRole("row", { name: /a-new-agent/ }).click()
    await page.getByRole("heading", { name: "Where the time went" }).waitFor()
    assert.equal(
      await page
        .getByRole("list", { name: /^Stages/ })
        .getByRole("listitem")
        .count(),
      2
    )
  })

  it("opens a conversation: bands, what comes next, and the prepared context to read", async () => {
    const locked = await open(`#/context/${conversation}`)
    await locked.getByRole("button", { name: "Enter a token" }).last().click()
    await locked.getByRole("textbox", { name: "Token" }).fill(adminToken)
    await locked.getByRole("button", { name: "Use it" }).click()
    await locked.getByText("The next request").waitFor()

    const page = await open("#/context", {}, adminToken)
    await page.getByRole("link", { name: "A talk" }).click()
    await page.getByRole("heading", { name: "A talk", level: 1 }).waitFor()
    const context = await api(`/api/conversations/${conversation}/context`)
    const shown = await textOf(page, '[data-figure="sent"]')
    assert.equal(shown.replaceAll(",", ""), String(context.estimatedTokens))
    await page.getByText("step 1: The step 1 job reported").first().waitFor()
    assert.equal(await page.locator(".message").count(), context.request.messages.length)
  })

  it("shows what the model sees of the old part, and pins a message by keyboard", async () => {
    const conversation = await converse(sluice.url, "A long talk", adminToken)
    const context = () => api(`/api/conversations/${conversation}/context`)
    for (let step = 0; (await context()).lastSummary === null; step++) {
      assert.isBelow(step, 20, "a talk that outgrows the window is condensed")
      await say(sluice.url, { conversation, content: prose(`leg ${step}`, 600), token: adminToken })
    }
    const page = await open(`#/context/${conversation}`, {}, adminToken)
    const { lastSummary } = await context()
    const summary = page.locator("[data-last-summary]")
    assert.include(await summary.innerText(), lastSummary.text.split("\n")[0])
    assert.include(await summary.getByRole("heading").innerText(), String(lastSummary.from))

    assert.deepEqual(await accessibility(page), [])

    const message = page.locator('[data-message="0"]')
    await message.getByRole("button", { name: "Pin message 0" }).focus()
    await page.keyboard.press("Enter")
    await message.getByText("pinned", { exact: true }).waitFor()
    assert.deepEqual((await context()).pins, [0])
    await page.keyboard.press("Space")
    await message.getByText("pinned", { exact: true }).waitFor({ state: "detached" })
    assert.deepEqual((await context()).pins, [])
  })

  it("clears the cache for an administrator only, after asking", async () => {
    const page = await open("#/cache")
    await eventually(async () => assert.notEqual(await textOf(page, '[data-figure="entries"]'), "0"))
    await page.getByRole("button", { name: "Clear the cache" }).click()
    await page.getByRole("button", { name: "Clear", exact: true }).click()
    await page.getByRole("alert").waitFor()
    await page.getByRole("button", { name: "Enter a token" }).last().click()
    await page.getByRole("textbox", { name: "Token" }).fill(adminToken)
    await page.getByRole("button", { name: "Use it" }).click()
    await page.getByRole("button", { name: "Clear the cache" }).click()
    await page.getByRole("button", { name: "Clear", exact: true }).click()
    await page.getByText("entries were dropped").waitFor()
    await eventually(async () => assert.equal(await textOf(page, '[data-figure="entries"]'), "0"))
    assert.equal((await api("/api/metrics/cache")).entries, 0)
  })

  it("warns when the budget is used up, and resumes for an administrator", async () => {
    const page = await open("", {}, adminToken)
    await page.getByText("Live", { exact: true }).waitFor()
    const spend = { model: "claude-opus-5-5", maxTokens: 4_000 }
    for (let n = 0; n < 40; n++) {
      if ((await ask(sluice.url, { ...spend, text: prose(`dear ${n}`, 1_500) })) !== 200) break
    }
    const banner = page.locator('[data-alert="budget_paused"]')
    await banner.waitFor({ timeout: 10_000 })
    await banner.getByRole("button", { name: "Resume" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Resume" }).click()
    await banner.waitFor({ state: "detached", timeout: 10_000 })
    assert.equal(await ask(sluice.url, { text: "spending again" }), 200)
  })

  it("shows the alerts that last on a page that was opened late and hears nothing", async () => {
    const text = /no room left for a request/
    const isTold = async () => {
      const { active } = await api("/api/alerts")
      return active.some(({ alert }: { readonly alert: { readonly message: string } }) => text.test(alert.message))
    }
    for (let n = 0; n < 40 && !(await isTold()); n++) {
      await ask(sluice.url, { model: "claude-opus-5-5", text: prose(`dearer ${n}`, 1_500), maxTokens: 4_000 })
    }
    const context = await browser.newContext()
    opened.push(context)
    await context.route(/\/api\/events/, (route) => route.abort())
    await context.routeWebSocket(/\/ws/, (socket) => socket.close())
    const page = await context.newPage()
    await page.goto(sluice.url)
    await page.locator('[data-alert="budget_paused"]').getByText(text).waitFor({ timeout: 10_000 })
  })

  it("says that it is disconnected, and comes back by itself", async () => {
    const page = await open("", {}, adminToken)
    await page.getByText("Live", { exact: true }).waitFor()
    await sluice.stop()
    await page.locator('[data-alert="disconnected"]').waitFor({ timeout: 15_000 })
    assert.match(await page.locator('[data-alert="disconnected"]').innerText(), /The figures below are from/)
    await sluice.restart()
    await page.getByText("Live", { exact: true }).waitFor({ timeout: 20_000 })
    await page.locator('[data-alert="disconnected"]').waitFor({ state: "detached" })
    await ask(sluice.url, { text: "after the restart", agent: "back-again" })
    await page.getByRole("cell", { name: "back-again" }).waitFor({ timeout: 5_000 })
  })

  it("polls where no live connection gets through", async () => {
    const context = await browser.newContext()
    opened.push(context)
    await context.route(/\/api\/events/, (route) => route.abort())
    await context.routeWebSocket(/\/ws/, (socket) => socket.close())
    const page = await context.newPage()
    await page.goto(sluice.url)
    await page.getByText("Every 10 s", { exact: true }).waitFor()
    assert.notEqual(await textOf(page, '[data-figure="requests"]'), "0")
  })

  it.each(["light", "dark"] as const)(
    "has no serious accessibility violation on any page, in %s",
    async (colorScheme) => {
      const page = await open("", { colorScheme, reducedMotion: "reduce" }, adminToken)
      await page.getByText("Live", { exact: true }).waitFor()
      for (const view of [...views, `context/${conversation}`]) {
        await page.goto(`${sluice.url}/#/${view}`)
        await page.locator("section").first().waitFor()
        assert.deepEqual(await accessibility(page), [], view)
      }
    }
  )

  it("opens with a link that was cut in two", async () => {
    const page = await open("#/context/%E0%A4", {}, adminToken)
    await page.getByRole("link", { name: "All conversations" }).waitFor()
  })

  it("cuts long names, not what stands beside them", async () => {
    await ask(sluice.url, { text: "a long name", agent: `agent-${"x".repeat(190)}` })
    const page = await open("#/requests", {}, adminToken)
    await page.getByTitle(/^agent-x{100}/).waitFor()
    const hidden = await page.evaluate(
      "Math.max(...[...document.querySelectorAll('.table-scroll')].map((box) => box.scrollWidth - box.clientWidth))"
    )
    assert.isAtMost(Number(hidden), 0, "pixels of the table that have to be scrolled to")
  })

  it("fits a phone", async () => {
    const page = await open("", { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true }, adminToken)
    for (const view of views) {
      await page.goto(`${sluice.url}/#/${view}`)
      await page.locator("h1").first().waitFor({ state: "attached" })
      const wide: unknown = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
      assert.isAtMost(Number(wide), 0, `${view} scrolls sideways`)
    }
    for (const view of ["now", "money", "requests"]) {
      await page.goto(`${sluice.url}/#/${view}`)
      await page.locator("td.cost").first().waitFor()
      const right =
        "Math.max(...[...document.querySelectorAll('td.cost')].map((cell) => cell.getBoundingClientRect().right))"
      assert.isBelow(Number(await page.evaluate(right)), 348, `${view}: what it cost is to be scrolled to`)
    }
  })

  it("works by keyboard alone", async () => {
    const page = await open("", {}, adminToken)
    await page.getByText("Live", { exact: true }).waitFor()
    await page.keyboard.press("Tab")
    assert.equal(await page.evaluate("document.activeElement.textContent"), "Skip to the content")
    for (let n = 0; n < 4; n++) await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: "Cache", level: 1 }).waitFor()
    await page.getByRole("button", { name: "Clear the cache" }).focus()
    await page.keyboard.press("Enter")
    await page.getByRole("dialog").waitFor()
    await page.keyboard.press("Escape")
    await page.getByRole("dialog").waitFor({ state: "detached" })
  })

  it("paints within a second, with less than 250 KB of JavaScript, and breaks no rule of its content policy", async () => {
    const context = await browser.newContext()
    opened.push(context)
    const page = await context.newPage()
    const complaints: Array<string> = []
    page.on("console", (message) => void (message.type() === "error" && complaints.push(message.text())))
    let painted = Number.POSITIVE_INFINITY
    // The best of three: other work on this machine is not the page's fault.
    for (let n = 0; n < 3 && painted >= 1_000; n++) {
      await page.goto(sluice.url)
      await page.getByText("Live", { exact: true }).waitFor()
      const first = await page.evaluate('performance.getEntriesByName("first-contentful-paint")[0].startTime')
      painted = Math.min(painted, Number(first))
    }
    assert.isBelow(painted, 1_000)
    const scripts = await page.evaluate(
      'performance.getEntriesByType("resource").filter((r) => r.name.endsWith(".js")).reduce((sum, r) => sum + r.encodedBodySize, 0)'
    )
    assert.isAbove(Number(scripts), 10_000)
    assert.isBelow(Number(scripts), 250_000)
    const elsewhere = await page.evaluate(
      'performance.getEntriesByType("resource").filter((r) => !r.name.startsWith(location.origin) && !r.name.startsWith("ws:")).length'
    )
    assert.equal(Number(elsewhere), 0)
    assert.deepEqual(complaints, [])
  })

  it("keeps an hour of fifty events a second in bounded memory, and its frames", async () => {
    const context = await browser.newContext()
    opened.push(context)
    const page = await context.newPage()
    const flood = await flooding(page)
    await page.goto(`${sluice.url}/#/requests`)
    await page.getByText("Live", { exact: true }).waitFor()
    const idle = await framesPerSecond(page, 1_500)
    await flood.send(2_000)
    await eventually(async () => assert.include(await page.locator("h1 + *").innerText(), "1,000 shown"))
    const before = await heapOf(page)
    const counting = framesPerSecond(page, 3_000)
    for (let n = 0; n < 60; n++) {
      await flood.send(2)
      await sleep(40)
    }
    const busy = await counting
    for (let n = 0; n < 90; n++) await flood.send(2_000)
    await eventually(async () => assert.match(await page.locator("h1 + *").innerText(), /of 18\d,\d{3} heard/))
    const grown = (await heapOf(page)) - before
    assert.isBelow(grown, 8 * 1024 * 1024, "bytes more after 180,000 events")
    assert.isAbove(busy, idle * 0.7, `frames a second; ${idle} when idle`)
    assert.isAtMost(await page.locator("tbody tr").count(), 50)
  }, 120_000)

  it("has a compact panel for other pages", async () => {
    const page = await open("", {}, adminToken)
    const costs = await api("/api/metrics/costs")
    await page.evaluate(`import("/token-metrics.js").then(() => {
      document.body.innerHTML = '<sluice-token-metrics base-url="" token="${adminToken}"></sluice-token-metrics>'
    })`)
    await eventually(async () => {
      const shown = await page.locator('sluice-token-metrics [data-figure="requests"]').innerText()
      assert.equal(Number(shown.replaceAll(",", "")), costs.today.requests)
    })
  })
})
