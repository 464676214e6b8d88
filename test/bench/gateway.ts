/**
 * What the gateway costs, against a bare Node pass-through in the same run: `npm run bench:gateway [-- seconds rounds]`.
 * Upstream answers at once, everything is on loopback, and Sluice runs as it ships: limiter, cache, estimator, ledger
 * and events on, an embedded database, every request new. Ratios mean something; milliseconds depend on the machine.
 */
import { type ChildProcess, fork, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const seconds = Number(process.argv[2] ?? 5)
const rounds = Number(process.argv[3] ?? 3)
const here = new URL(".", import.meta.url).pathname
const children: Array<ChildProcess> = []

interface Measured {
  readonly requests: number
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly error?: string
}

const start = async (role: string, ...args: ReadonlyArray<string>): Promise<{ child: ChildProcess; url: string }> => {
  const child = fork(join(here, "gatewayRoles.ts"), [role, ...args])
  children.push(child)
  const [{ port }] = await once(child, "message")
  return { child, url: `http://127.0.0.1:${port}` }
}

/** Settings to look at one room at a time: `-- 5 3 COST_TRACKING_ENABLED=false`. */
const extra = Object.fromEntries(process.argv.slice(4).map((pair) => pair.split("=", 2)))

/** `sluice serve`, as anybody would start it; `SLUICE_PROFILE=1` leaves a CPU profile in the current folder. */
const startSluice = async (upstream: string, dataDir: string): Promise<{ child: ChildProcess; url: string }> => {
  const profile = process.env.SLUICE_PROFILE === "1" ? ["--cpu-prof"] : []
  const child = spawn(process.execPath, [...profile, join(here, "../../src/main.ts"), "serve"], {
    env: {
      PATH: process.env.PATH,
      ANTHROPIC_API_KEY: "sk-ant-bench",
      ANTHROPIC_BASE_URL: upstream,
      PORT: "0",
      DATA_DIR: dataDir,
      RATE_LIMIT_TOKENS_PER_MINUTE: "1000000000",
      COST_ALERT_THRESHOLD_USD: "1000000",
      MAX_CONCURRENT_REQUESTS: "1000",
      ...extra
    },
    stdio: ["ignore", "pipe", "inherit"]
  })
  children.push(child)
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    const url = /Listening on (http:\S+)/.exec(String(chunk))?.[1]
    if (url === undefined) continue
    // It goes on logging: a closed pipe would end it.
    child.stdout.resume()
    return { child, url }
  }
  throw new Error("sluice did not start")
}

/** Milliseconds of CPU that a process has used, all its threads together. Linux only. */
const cpuMillis = ({ pid }: ChildProcess): number => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? []
    return (Number(fields[11]) + Number(fields[12])) * 10
  } catch {
    return Number.NaN
  }
}

const rssMegabytes = ({ pid }: ChildProcess): number => {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024
  } catch {
    return Number.NaN
  }
}

const measure = async (load: ChildProcess, job: object): Promise<Measured> => {
  load.send(job)
  const [measured] = await once(load, "message")
  if (measured.error !== undefined) throw new Error(measured.error)
  return measured
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const print = (line: string): void => {
  process.stdout.write(`${line}\n`)
}

const fixed = (value: number, digits = 2): string => value.toFixed(digits).padStart(9)

interface Row {
  p50: Array<number>
  p99: Array<number>
  perSecond: Array<number>
  cpu: Array<number>
  streams: Array<number>
  large: Array<number>
}

const row = (): Row => ({ p50: [], p99: [], perSecond: [], cpu: [], streams: [], large: [] })

const dataDir = mkdtempSync(join(tmpdir(), "sluice-bench-"))
try {
  const upstream = await start("upstream")
  const bare = await start("bare", upstream.url)
  const sluice = await startSluice(upstream.url, dataDir)
  const { child: load } = await start("load")
  const targets = {
    direct: { ...upstream, row: row() },
    bare: { ...bare, row: row() },
    sluice: { ...sluice, row: row() }
  }
  const base = { connections: 50, streamed: false, bytes: 2_000, seconds }

  for (const { url } of Object.values(targets)) {
    await measure(load, { ...base, url, seconds: 2 })
    await measure(load, { ...base, url, seconds: 1, streamed: true })
  }
  for (let round = 0; round < rounds; round++) {
    for (const { child, row, url } of Object.values(targets)) {
      const paced = await measure(load, { ...base, url, rate: 200 })
      row.p50.push(paced.p50)
      row.p99.push(paced.p99)
      const before = cpuMillis(child)
      const closed = await measure(load, { ...base, url })
      row.cpu.push((cpuMillis(child) - before) / closed.requests)
      row.perSecond.push(closed.perSecond)
      row.streams.push((await measure(load, { ...base, url, streamed: true })).perSecond)
      row.large.push(
        (await measure(load, { ...base, url, bytes: 100_000, seconds: Math.max(1, seconds / 2) })).perSecond
      )
    }
  }

  const of = (name: keyof typeof targets, field: keyof Row): number => median(targets[name].row[field])
  const overhead = (name: "bare" | "sluice", field: "p50" | "p99"): number => of(name, field) - of("direct", field)
  print(`${rounds} rounds of ${seconds} s, medians; 50 connections; requests of 2 KB, answers of 2 KB`)
  print("                              direct      bare    sluice     ratio    budget")
  const line = (what: string, field: keyof Row, budget: string, digits?: number) =>
    print(
      `${what.padEnd(24)}${fixed(of("direct", field), digits)} ${fixed(of("bare", field), digits)} ${fixed(of("sluice", field), digits)} ${fixed(of("sluice", field) / of("bare", field))}    ${budget}`
    )
  const over = (what: string, field: "p50" | "p99", budget: string) =>
    print(
      `${what.padEnd(24)}          ${fixed(overhead("bare", field))} ${fixed(overhead("sluice", field))} ${fixed(overhead("sluice", field) / overhead("bare", field))}    ${budget}`
    )
  line("p50 ms at 200 req/s", "p50", "")
  over("overhead p50 ms", "p50", "<= 2.5")
  over("overhead p99 ms", "p99", "")
  line("req/s, closed loop", "perSecond", ">= 0.30", 0)
  line("CPU ms a request", "cpu", "<= 3.5", 3)
  line("streams/s (50 deltas)", "streams", ">= 0.30", 0)
  line("req/s of 100 KB", "large", "", 0)
  print(
    `memory of sluice afterwards: ${rssMegabytes(sluice.child).toFixed(0)} MB, of the pass-through: ${rssMegabytes(bare.child).toFixed(0)} MB`
  )
} finally {
  for (const child of children) child.kill("SIGTERM")
  await Promise.all(children.filter((child) => child.exitCode === null).map((child) => once(child, "exit")))
  rmSync(dataDir, { recursive: true, force: true })
}
