import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { setTimeout as sleep } from "node:timers/promises"
import type { Page } from "playwright-core"

/** Asks until the assertion holds; after ten seconds its failure counts. */
export const eventually = async (check: () => Promise<void>): Promise<void> => {
  const until = Date.now() + 10_000
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (Date.now() > until) throw error
      await sleep(100)
    }
  }
}

export const textOf = async (page: Page, selector: string): Promise<string> =>
  (await page.locator(selector).first().innerText()).trim()

// biome-ignore lint/suspicious/noExplicitAny: tests read answers as JSON comes; what is missing fails the assertion.
export const json = async (url: string, token: string): Promise<any> => {
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
  return response.json()
}

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js")

interface Violation {
  readonly id: string
  readonly impact: string | null
  readonly nodes: ReadonlyArray<{ readonly html: string; readonly failureSummary?: string }>
}

/** What axe calls serious or critical, each with the first element that it was found at. */
export const accessibility = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(await readFile(axe, "utf8"))
  // axe's own result type, as far as it is read here.
  const violations = (await page.evaluate("axe.run().then(({ violations }) => violations)")) as ReadonlyArray<Violation>
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary ?? ""}`)
}
