import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ensureBuilt, type Running, running } from "./running.ts"

describe("what is served at /", () => {
  let sluice: Running
  beforeAll(async () => {
    await ensureBuilt()
    sluice = await running()
  })
  afterAll(() => sluice?.dispose())

  const get = (path: string, headers: Record<string, string> = {}) => fetch(`${sluice.url}${path}`, { headers })
  const assetOf = (page: string, ending: string): string =>
    new RegExp(`assets/[^"]+\\.${ending}`).exec(page)?.[0] ?? assert.fail(`no ${ending} in the page`)

  it("guards the page with a policy that allows nothing inline and nothing from elsewhere", async () => {
    const response = await get("/")
    const policy = response.headers.get("content-security-policy") ?? ""
    assert.include(policy, "default-src 'none'")
    assert.include(policy, "script-src 'self';")
    assert.notInclude(policy, "unsafe")
    assert.include(policy, "frame-ancestors 'none'")
    assert.equal(response.headers.get("x-content-type-options"), "nosniff")
    assert.equal(response.headers.get("cache-control"), "no-cache")
    const page = await response.text()
    assert.notMatch(page, /<script(?![^>]*src=)|<style|https?:\/\//)
  })

  it("lets hashed assets be kept for ever, and the page be asked for again", async () => {
    const first = await get("/")
    const script = await get(`/${assetOf(await first.text(), "js")}`)
    assert.equal(script.headers.get("cache-control"), "public, max-age=31536000, immutable")
    assert.equal(script.headers.get("content-type"), "text/javascript; charset=utf-8")
    assert.equal(script.headers.get("content-encoding"), "gzip")
    const again = await get("/", { "if-none-match": first.headers.get("etag") ?? "" })
    assert.equal(again.status, 304)
    const plain = await get("/", { "accept-encoding": "identity" })
    assert.isNull(plain.headers.get("content-encoding"))
  })

  it("serves what was built and nothing beside it", async () => {
    for (const path of ["/assets/../../package.json", "/assets/%2e%2e%2f%2e%2e%2fpackage.json", "/assets/none.js"]) {
      assert.equal((await get(path)).status, 404, path)
    }
  })

  it("gives the custom element to pages of other sites", async () => {
    const response = await get("/token-metrics.js")
    assert.equal(response.headers.get("access-control-allow-origin"), "*")
    assert.equal(response.headers.get("cross-origin-resource-policy"), "cross-origin")
  })
})
