/** What may wait for a reader of the log that has fallen behind, in bytes; further lines are left out, and counted. */
const mostWaiting = 16 * 1024 * 1024

/** Writes lines to standard output: those of one turn of the event loop together, the last ones when the process ends. */
export const makeLines = (): ((line: string) => void) => {
  let lines: Array<string> = []
  let lost = 0
  const flush = (): void => {
    if (lines.length === 0) return
    const text = lines.join("\n")
    lines = []
    // biome-ignore lint/suspicious/noConsole: unlike the stream, it takes it calmly when nobody reads any more
    console.log(lost === 0 ? text : `${lost} lines were left out: the log is not read fast enough.\n${text}`)
    lost = 0
  }
  process.once("exit", flush)
  return (line) => {
    if (process.stdout.writableLength > mostWaiting) {
      lost++
      return
    }
    if (lines.length === 0) setImmediate(flush)
    lines.push(line)
  }
}
