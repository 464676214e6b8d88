import { parentPort, workerData } from "node:worker_threads"
import type { PGlite } from "@electric-sql/pglite"
import * as Pglite from "./Pglite.ts"
import type { Reply, Request } from "./WorkerMessages.ts"

const send = (reply: Reply, transfer: ReadonlyArray<ArrayBuffer> = []): void => parentPort?.postMessage(reply, transfer)

let fatal: string | undefined

const note = (line: string): void => {
  if (!/FATAL:|PANIC:|^Aborted\(/.test(line)) return
  fatal = line.replace(/^.*?(FATAL|PANIC): +/, "")
  if (line.includes("FATAL:")) return
  // After a panic PGlite would spin for ever.
  send({ _tag: "failed", reason: fatal })
  process.exit(1)
}

const answer = async (pg: PGlite, request: Request): Promise<void> => {
  if (request === null) {
    await pg.close()
    return send({ _tag: "closed" })
  }
  const data = await Pglite.run(pg, request)
  send({ _tag: "answer", data }, [data.buffer])
}

/** Emscripten throws plain objects with WASI's error numbers. */
const wasiErrors: Readonly<Record<number, string>> = { 2: "permission denied", 51: "no space left on device" }

const describe = (error: unknown): string => {
  if (error instanceof Error) return error.message
  if (typeof error !== "object" || error === null || !("errno" in error)) return String(error)
  return wasiErrors[Number(error.errno)] ?? `error number ${String(error.errno)}`
}

const fail = (error: unknown): void => {
  send({ _tag: "failed", reason: fatal ?? describe(error) })
  process.exit(1)
}

const serve = async (): Promise<void> => {
  // The engine starts this file with exactly these options.
  const pg = await Pglite.open(workerData as Pglite.Options, note)
  let last = Promise.resolve()
  parentPort?.on("message", (request: Request) => {
    last = last.then(() => answer(pg, request)).catch(fail)
  })
  send({ _tag: "ready" })
}

await serve().catch(fail)
