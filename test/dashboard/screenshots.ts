import { mkdir } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import { launch } from "./browser.ts"
import { ensureBuilt, running } from "./running.ts"
import { adminToken, play, sceneOptions } from "./scene.ts"

/** Every view, light and dark, over a server under load: docs/screenshots. */
const folder = fileURLToPath(new URL("../../docs/screenshots/", import.meta.url))
const seconds = Number(process.argv[2] ?? 75)

await ensureBuilt()
await mkdir(folder, { recursive: true })
const sluice = await running(sceneOptions)
const browser = await launch()
try {
  const playing = play(sluice, seconds + 60)
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const conversations: unknown = await (
    await fetch(`${sluice.url}/api/metrics/tokens`, { headers: { authorization: `Bearer ${adminToken}` } })
  ).json()
  const windows = (conversations as { contextWindows: ReadonlyArray<{ conversation: string; rawTokens: number }> })
    .contextWindows
  const longest = windows.toSorted((a, b) => b.rawTokens - a.rawTokens)[0]?.conversation ?? ""
  const views = {
    now: "now",
    money: "money",
    cache: "cache",
    context: "context",
    conversation: `context/${longest}`,
    requests: "requests"
  }
  for (const colorScheme of ["light", "dark"] as const) {
    const context = await browser.newContext({ colorScheme, viewport: { width: 1440, height: 900 }, locale: "en-US" })
    await context.addInitScript(`sessionStorage.setItem("sluice-token", "${adminToken}")`)
    const page = await context.newPage()
    for (const [name, path] of Object.entries(views)) {
      await page.goto(`${sluice.url}/#/${path}`)
      await page.waitForTimeout(1_500)
      if (name === "requests") await page.locator("tbody tr").nth(3).click()
      await page.waitForTimeout(300)
      await page.screenshot({
        path: `${folder}${name}-${colorScheme}.png`,
        fullPage: name !== "requests",
        // The prepared context goes on for long.
        ...(name === "conversation" ? { clip: { x: 0, y: 0, width: 1440, height: 1900 } } : {})
      })
    }
    await context.close()
  }
  const phone = await browser.newContext({
    colorScheme: "dark",
    viewport: { width: 390, height: 844 },
    deviceScaleFactor: 2
  })
  await phone.addInitScript(`sessionStorage.setItem("sluice-token", "${adminToken}")`)
  const page = await phone.newPage()
  await page.goto(sluice.url)
  await page.waitForTimeout(1_500)
  await page.screenshot({ path: `${folder}now-phone.png` })
  await phone.close()
  void playing.catch(() => {})
} finally {
  await browser.close()
  await sluice.dispose()
}
process.exit(0)
