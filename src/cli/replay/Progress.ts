import { basename } from "node:path"
import { Effect } from "effect"

const width = 30

/** A progress bar on standard error, where that is a terminal; nothing elsewhere. */
export const progress =
  (stream: NodeJS.WriteStream) =>
  (done: number, of: number, file: string): Effect.Effect<void> =>
    Effect.sync(() => {
      if (!stream.isTTY) return
      const filled = of === 0 ? width : Math.round((width * done) / of)
      const bar = `${"█".repeat(filled)}${"░".repeat(width - filled)}`
      stream.write(done === of ? "\r\u001b[K" : `\r\u001b[K${bar} ${done}/${of} ${basename(file)}`)
    })
