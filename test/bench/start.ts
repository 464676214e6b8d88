/**
 * From the start of the process to its first answer: on a fresh database that has to be made, on a fresh one that is
 * unpacked from the template, and on an existing one, in turns.
 *
 *     npm run bench:start
 *     npm run bench:start -- --rounds 10
 *
 * Processor time is the process's own, all threads; look at ratios where others use the machine too. The peak of memory is
 * that of the first seconds, because compilers go on behind the first answer; Linux only.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import * as Template from "../../src/chat/embedded/Template.ts"

const { values: flags } = parseArgs({ options: { rounds: { type: "string", default: "5" } } })
const main = new URL("../../src/main.ts", import.meta.url).pathname
const patience = 120_000

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  return typeof address === "object" && address !== null ? address.port : 0
}

const question = {
  method: "POST",
  headers: { "content-type": "application/json", "anthropic-version": "2023-06-01" },
  body: JSON.stringify({ model: "claude-haiku-5-5", max_tokens: 10, messages: [{ role: "user", content: "Hello" }] })
}

interface Started {
  readonly wall: number
  readonly cpu: number
  /** Megabytes. */
  readonly peak: number
}

const peakOf = (pid: number | undefined): number => {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024
  } catch {
    return Number.NaN
  }
}

/** Milliseconds until a message is answered. */
const started = async (directory: string): Promise<Started> => {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const began = performance.now()
  const env = { PATH: process.env.PATH, DATA_DIR: directory, PORT: String(port) }
  const child = spawn(process.execPath, [main, "serve"], { env, stdio: ["ignore", "ignore", "inherit"] })
  const answers = () =>
    fetch(`${url}/v1/messages`, question).then(
      ({ ok }) => ok,
      () => false
    )
  while (!(await answers())) {
    if (child.exitCode !== null || performance.now() - began > patience) throw new Error("it does not start")
    await sleep(10)
  }
  const wall = performance.now() - began
  const metrics = await fetch(`${url}/metrics`).then((response) => response.text())
  const cpu = 1_000 * Number(/^process_cpu_seconds_total\S* (\S+)$/m.exec(metrics)?.[1])
  await sleep(3_000)
  const peak = peakOf(child.pid)
  child.kill()
  await once(child, "exit")
  return { wall, cpu, peak }
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const rounds: Record<"made" | "unpacked" | "existing", Array<Started>> = { made: [], unpacked: [], existing: [] }
for (let round = 0; round < Number(flags.rounds); round++) {
  const directory = mkdtempSync(join(tmpdir(), "sluice-start-"))
  try {
    rmSync(Template.location(), { force: true })
    rounds.made.push(await started(join(directory, "a")))
    rounds.unpacked.push(await started(join(directory, "b")))
    rounds.existing.push(await started(join(directory, "b")))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
const existing = median(rounds.existing.map(({ cpu }) => cpu))
const line = (...cells: ReadonlyArray<string | number>) =>
  process.stdout.write(`${cells.map((cell) => String(cell).padStart(14)).join("")}\n`)
line("database", "wall ms", "processor ms", "of existing", "peak MB")
for (const [database, all] of Object.entries(rounds)) {
  const cpu = median(all.map((one) => one.cpu))
  const [wall, peak] = [median(all.map((one) => one.wall)), median(all.map((one) => one.peak))]
  line(database, Math.round(wall), Math.round(cpu), (cpu / existing).toFixed(2), Math.round(peak))
}
