import { fsyncSync } from "node:fs"
import { setFlagsFromString } from "node:v8"
import { PGlite } from "@electric-sql/pglite"
import { NodeFS } from "@electric-sql/pglite/nodefs"
import { concat } from "./Protocol.ts"

/** How a backend is opened; only what a structured clone can carry. Without a directory the data live in memory. */
export interface Options {
  readonly directory: string | undefined
}

const parameters = ["-c", "shared_buffers=32MB", "-c", "max_wal_size=64MB", "-c", "min_wal_size=32MB"]

/** What this file needs of emscripten's module, which PGlite does not type. */
interface EmscriptenModule {
  readonly NODEFS: { readonly stream_ops: { fsync?: (stream: { readonly nfd?: number }) => number } }
}

const giveFsync = (module: EmscriptenModule): void => {
  module.NODEFS.stream_ops.fsync = (stream) => {
    if (stream.nfd !== undefined) fsyncSync(stream.nfd)
    return 0
  }
}

/** PGlite's own Node file system never syncs: a commit would be lost in a power cut. */
class DurableFs extends NodeFS {
  override async init(...args: Parameters<NodeFS["init"]>): ReturnType<NodeFS["init"]> {
    const { emscriptenOpts } = await super.init(...args)
    // PGlite sets preRun as a list of functions of the module it is given; emscripten's own type allows more.
    const preRun = [...(emscriptenOpts.preRun as Array<(module: unknown) => void>)]
    preRun.push((module) => giveFsync(module as EmscriptenModule))
    return { emscriptenOpts: { ...emscriptenOpts, preRun } }
  }
}

const startParams = (durable: boolean): Array<string> =>
  durable
    ? [...PGlite.defaultStartParams.filter((p) => p !== "-F"), "-c", "wal_sync_method=fsync", ...parameters]
    : [...PGlite.defaultStartParams, ...parameters]

/**
 * Postgres's interpreter of expressions is one function, for which V8's optimizing compiler takes 600 MB and a second as
 * soon as it is busy: left out, queries take a third longer. V8 knows no narrower switch than the process.
 */
const compileLean = (): void => setFlagsFromString("--no-wasm-dynamic-tiering --no-wasm-tier-up")

/** Opens PGlite on this thread. `log` receives the backend's lines. */
export const open = ({ directory }: Options, log: (line: string) => void): Promise<PGlite> => {
  compileLean()
  return PGlite.create({
    ...(directory === undefined ? {} : { fs: new DurableFs(directory) }),
    startParams: startParams(directory !== undefined),
    onStderr: (line) => {
      log(line)
      return true
    }
  })
}

/** Runs one batch of protocol messages and returns all the backend's bytes. */
export const run = async (pg: PGlite, batch: Uint8Array): Promise<Uint8Array<ArrayBuffer>> => {
  const chunks: Array<Uint8Array> = []
  await pg.execProtocolRawStream(batch, { onRawData: (data) => void chunks.push(data.slice()) })
  return concat(chunks)
}
