import { originalOf } from "../domain/Original.ts"

/** An event as an object, whatever it says, in bytes. */
const emptyEvent = 512

const textOf = (fields: unknown): number => {
  if (typeof fields !== "object" || fields === null) return 0
  let chars = 0
  for (const value of Object.values(fields)) if (typeof value === "string") chars += value.length
  return chars
}

/** About what an event of a stream takes in memory, in bytes: of one that was not forwarded, the texts of its delta count. */
export const eventBytes = (event: unknown): number => {
  const written = originalOf(event)?.byteLength
  if (written !== undefined) return emptyEvent + written
  return emptyEvent + (typeof event === "object" && event !== null && "delta" in event ? textOf(event.delta) : 0)
}
