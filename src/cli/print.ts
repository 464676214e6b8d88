import { Data, Effect } from "effect"

/** What was asked for could not be written down: a full disk, say. */
export class NotPrinted extends Data.TaggedError("NotPrinted")<{ readonly reason: string }> {
  override get message(): string {
    return `Standard output cannot be written: ${this.reason}.`
  }
}

/** A reader that has seen enough (`| head`) is no failure. */
const outcome = (error: NodeJS.ErrnoException | null | undefined) =>
  error === null || error === undefined || error.code === "EPIPE"
    ? Effect.void
    : Effect.fail(new NotPrinted({ reason: error.message }))

/** Prints a line, and fails where it did not arrive: `console.log` keeps that to itself. */
export const print = (text: string): Effect.Effect<void, NotPrinted> =>
  Effect.callback<void, NotPrinted>((resume) => {
    // The callback tells it; without a listener Node would end the process as well.
    process.stdout.once("error", () => {})
    try {
      process.stdout.write(`${text}\n`, (error) => resume(outcome(error)))
    } catch (error) {
      resume(outcome(error instanceof Error ? error : new Error(String(error))))
    }
  })
