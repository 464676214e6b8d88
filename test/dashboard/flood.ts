import type { Page } from "playwright-core"

/** Stands in for the browser's WebSocket: `flood(n)` makes it say n requests. */
const script = `{
  let socket, seq = 0
  window.WebSocket = class {
    constructor() { socket = this; setTimeout(() => this.onopen?.()) }
    close() {}
  }
  const usage = { input: 900, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 4000, output: 210 }
  const frame = () => JSON.stringify({
    seq: ++seq, at: Date.now(),
    event: {
      _tag: "Usage", requestId: "req_" + seq, tenant: "tenant-" + (seq % 7), agent: "agent-" + (seq % 11),
      conversation: "conversation-" + (seq % 23), model: "claude-sonnet-5-5", usage, rawTokens: 9000,
      costNanoUsd: 2700000, savedNanoUsd: 410000, cache: seq % 4 === 0 ? "hit" : "miss",
      queueMillis: seq % 90, upstreamMillis: 300 + (seq % 500), status: "ok"
    }
  })
  window.flood = (n) => { for (let i = 0; i < n; i++) socket.onmessage({ data: frame() }) }
}`

/** Takes the place of the server's live feed: as many events as one likes, without the hour that they would take. */
export const flooding = async (page: Page): Promise<{ readonly send: (events: number) => Promise<unknown> }> => {
  await page.addInitScript(script)
  return { send: (events) => page.evaluate(`flood(${events})`) }
}

/** What the browser paints while it is watched for so many milliseconds. */
export const framesPerSecond = async (page: Page, millis: number): Promise<number> => {
  const frames = await page.evaluate(`new Promise((resolve) => {
    const end = performance.now() + ${millis}
    let frames = 0
    const beat = () => { frames++; performance.now() < end ? requestAnimationFrame(beat) : resolve(frames) }
    requestAnimationFrame(beat)
  })`)
  return (1000 * Number(frames)) / millis
}

/** Bytes of JavaScript that are still in use after collecting what is not. */
export const heapOf = async (page: Page): Promise<number> => {
  const session = await page.context().newCDPSession(page)
  await session.send("HeapProfiler.collectGarbage")
  const { usedSize } = await session.send("Runtime.getHeapUsage")
  await session.detach()
  return usedSize
}
