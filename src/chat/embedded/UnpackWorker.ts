import { parentPort, workerData } from "node:worker_threads"
import { flush } from "./flush.ts"
import { unpack } from "./Pack.ts"

// Template.ts starts this file with exactly these.
const { directory, file } = workerData as { readonly directory: string; readonly file: string }

unpack(file, directory)
await flush(directory)
parentPort?.postMessage("done")
