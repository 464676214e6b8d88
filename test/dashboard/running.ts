import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync } from "node:fs"
import { rm } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../..", import.meta.url))

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return typeof address === "object" && address !== null ? address.port : 0
}

const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): ChildProcess =>
  spawn(process.execPath, [join(root, "src/main.ts"), ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "ignore", "inherit"]
  })

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGKILL")
  await gone
}

/** Answered by anything: it listens. */
const answers = async (url: string): Promise<void> => {
  for (let attempt = 0; attempt < 900; attempt++) {
    const ok = await fetch(url).then(
      () => true,
      () => false
    )
    if (ok) return
    await sleep(100)
  }
  throw new Error(`Nothing answers at ${url} in 90 seconds`)
}

export interface Running {
  readonly url: string
  readonly simulator: string | undefined
  readonly stop: () => Promise<void>
  readonly restart: () => Promise<void>
  readonly dispose: () => Promise<void>
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds until an upstream answer begins; then the simulator runs as a server of its own. */
  readonly latency?: number
}

/** Builds the dashboard where it is missing. */
export const ensureBuilt = async (): Promise<void> => {
  if (existsSync(join(root, "dist/dashboard/index.html"))) return
  const child = spawn(process.execPath, [join(root, "src/dashboard/build/ensure.ts")], { stdio: "inherit" })
  const [code] = await once(child, "exit")
  if (code !== 0 || !existsSync(join(root, "dist/dashboard/index.html")))
    throw new Error("The dashboard does not build: npm run build:dashboard")
}

/** A Sluice of its own, in a process of its own, on an empty database. */
export const running = async ({ env = {}, latency }: RunOptions = {}): Promise<Running> => {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-dashboard-"))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const upstream: Record<string, string> = {}
  let simulating: ChildProcess | undefined
  let simulator: string | undefined
  if (latency !== undefined) {
    const at = await freePort()
    simulator = `http://127.0.0.1:${at}`
    simulating = run(["simulate", "--port", String(at), "--latency", String(latency), "--per-token", "1"], {})
    await answers(`${simulator}/simulator/bill`)
    upstream.ANTHROPIC_BASE_URL = simulator
    upstream.ANTHROPIC_API_KEY = "simulated"
  }
  const start = () => run(["serve"], { PORT: String(port), DATA_DIR: dataDir, ...upstream, ...env })
  let serving = start()
  const stop = () => end(serving)
  const dispose = async () => {
    await end(serving)
    if (simulating !== undefined) await end(simulating)
    await rm(dataDir, { recursive: true, force: true })
  }
  await answers(`${url}/health`).catch(async (error: unknown) => {
    await dispose()
    throw error
  })
  return {
    url,
    simulator,
    stop,
    restart: async () => {
      await end(serving)
      serving = start()
      await answers(`${url}/health`)
    },
    dispose
  }
}
