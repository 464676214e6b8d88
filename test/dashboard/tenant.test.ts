import type { Browser } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { browserPath, launch } from "./browser.ts"
import { ask } from "./load.ts"
import { eventually, json, textOf } from "./looking.ts"
import { ensureBuilt, type Running, running } from "./running.ts"

const missing = browserPath === undefined && process.env.CI !== "true"

describe.skipIf(missing)(`the dashboard with a tenant's token${missing ? " (no Chromium here: skipped)" : ""}`, () => {
  let sluice: Running
  let browser: Browser

  beforeAll(async () => {
    await ensureBuilt()
    const env = {
      ADMIN_TOKEN: "admin",
      GATEWAY_TOKENS: "acme=acme-token,globex=globex-token",
      COST_DAILY_BUDGET_USD: "77"
    }
    ;[sluice, browser] = await Promise.all([running({ env }), launch()])
    for (const [token, requests] of [
      ["acme-token", 2],
      ["globex-token", 3]
    ] as const) {
      for (let n = 0; n < requests; n++) {
        const headers = { "x-api-key": token }
        assert.equal(await ask(sluice.url, { text: `${token} ${n}`, agent: `${token}-agent`, headers }), 200)
      }
    }
  })
  afterAll(async () => {
    await browser?.close()
    await sluice?.dispose()
  })

  it("is that tenant's on every page, and live", async () => {
    const page = await browser.newPage({ locale: "en-US" })
    await page.addInitScript(`sessionStorage.setItem("sluice-token", "acme-token")`)
    const seen: Array<string> = []
    page.on("response", (response) => void (response.ok() || seen.push(`${response.status()} ${response.url()}`)))
    await page.goto(sluice.url)
    await page.getByText("Live", { exact: true }).waitFor()
    await eventually(async () => assert.equal(await textOf(page, '[data-figure="requests"]'), "2"))
    await ask(sluice.url, { text: "heard", agent: "heard-agent", headers: { "x-api-key": "acme-token" } })
    await ask(sluice.url, { text: "not heard", agent: "other-agent", headers: { "x-api-key": "globex-token" } })
    await page.getByRole("cell", { name: "heard-agent", exact: true }).waitFor({ timeout: 5_000 })
    await eventually(async () => assert.equal(await textOf(page, '[data-figure="requests"]'), "3"))
    const spenders = page.locator("[data-spenders]")
    assert.deepEqual(await spenders.evaluateAll((all) => all.map((table) => table.getAttribute("data-spenders"))), [
      "Agent"
    ])
    assert.match(await spenders.innerText(), /acme-token-agent\s+\$[\d.]+\s+[\d.]+%/)
    for (const view of ["now", "money", "cache", "context", "requests"]) {
      await page.goto(`${sluice.url}/#/${view}`)
      await page.locator("section").first().waitFor()
      assert.notMatch(await page.locator("body").innerText(), /globex|other-agent/, view)
    }
    await page.goto(`${sluice.url}/#/money`)
    await page.getByText("All tenants share a daily budget").waitFor()
    assert.notMatch(
      await page.locator("body").innerText(),
      /No daily budget|\$77/,
      "what it is, is not the tenant's to know"
    )
    assert.deepEqual(seen, [], "nothing is asked for that it may not see")
    await page.close()
  })

  it("names with everybody's token who spends today, on phones too", async () => {
    const viewport = { width: 360, height: 740 }
    const page = await browser.newPage({ locale: "en-US", viewport, isMobile: true })
    await page.addInitScript(`sessionStorage.setItem("sluice-token", "admin")`)
    await page.route("**/api/metrics/series", async (route) => {
      const answer = await route.fetch()
      const { points, ...rest } = await answer.json()
      const steps = Array.from({ length: 13 }, () => ({ ...points[0], cost: { nanoUsd: 1e7, usd: 0.01 } }))
      await route.fulfill({ json: { ...rest, points: steps } })
    })
    await page.goto(sluice.url)
    await eventually(async () => {
      assert.match(await textOf(page, '[data-figure="per-hour"]'), /^\$3\.60\s+last 2 minutes$/)
    })
    const rows = (name: string) => page.locator(`[data-spenders="${name}"] tbody tr`)
    await rows("Tenant").first().waitFor()
    const { byTenant, today } = await json(`${sluice.url}/api/metrics/costs`, "admin")
    const percent = new Intl.NumberFormat("en-US", { style: "percent", maximumFractionDigits: 1 })
    const expected = byTenant.map(
      ({ cost, key }: { readonly key: string; readonly cost: { readonly nanoUsd: number } }) =>
        [key, percent.format(cost.nanoUsd / today.cost.nanoUsd)] as const
    )
    for (const [n, [key, share]] of expected.entries()) {
      assert.include(await rows("Tenant").nth(n).innerText(), key)
      assert.include(await rows("Tenant").nth(n).innerText(), share)
    }
    assert.isAtLeast(await rows("Agent").count(), 2)
    const box = await rows("Tenant").first().locator("td").last().boundingBox()
    assert.isAtMost((box?.x ?? 999) + (box?.width ?? 0), viewport.width)
    await page.close()
  })

  it("tells what upstream found at fault with a request itself apart from upstream's failures", async () => {
    const headers = { "x-api-key": "globex-token" }
    assert.equal(await ask(sluice.url, { text: "too long an answer", agent: "at-fault", maxTokens: 1e7, headers }), 400)
    const page = await browser.newPage({ locale: "en-US" })
    await page.addInitScript(`sessionStorage.setItem("sluice-token", "admin")`)
    await page.goto(`${sluice.url}/#/requests`)
    const row = page.getByRole("row", { name: /at-fault/ })
    await row.getByText("rejected", { exact: true }).waitFor()
    const { points } = await json(`${sluice.url}/api/metrics/series`, "admin")
    assert.equal(
      points.reduce((sum: number, point: { readonly errors: number }) => sum + point.errors, 0),
      0
    )
    await page.close()
  })

  it("forgets with a token what it showed, and shows with another all that it may", async () => {
    const page = await browser.newPage({ locale: "en-US" })
    await page.addInitScript(
      `sessionStorage.getItem("sluice-token") ?? sessionStorage.setItem("sluice-token", "admin")`
    )
    await page.goto(`${sluice.url}/#/requests`)
    const cells = () => page.locator("tbody td:nth-child(3)").allInnerTexts()
    const enter = async (token: string) => {
      await page.getByRole("button", { name: "A token is in use; change it" }).click()
      await page.getByRole("textbox", { name: "Token" }).fill(token)
      await page.getByRole("button", { name: "Use it" }).click()
    }
    await eventually(async () => assert.includeMembers(await cells(), ["acme", "globex"]))
    await enter("acme-token")
    await eventually(async () => assert.deepEqual([...new Set(await cells())], ["acme"]))
    await enter("admin")
    await eventually(async () => assert.includeMembers(await cells(), ["acme", "globex"]))
    await enter("nobodys-token")
    await page.locator('[data-alert="locked"]').waitFor()
    await page.getByText("The token in use is not known to this server.").waitFor()
    await page.getByRole("button", { name: "Cancel" }).click()
    await page.getByRole("link", { name: "Now", exact: true }).click()
    await eventually(async () => assert.equal(await textOf(page, '[data-figure="requests"]'), "–"))
    assert.notMatch(await page.locator("body").innerText(), /globex/)
    await page.close()
  })
})
