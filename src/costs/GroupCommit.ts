import { Effect, Latch, type Scope } from "effect"

interface Waiting<Op, A, E> {
  readonly op: Op
  readonly resume: (answer: Effect.Effect<A, E>) => void
}

/**
 * Writes what comes together in one go: while one batch is being committed the next one gathers. `commit` answers one
 * result per operation, in order; when it fails and `isolate` says so, each operation of the batch is tried alone, so
 * that one that cannot be written does not take the others with it. An operation handed in is carried out even if whoever
 * waits for it is interrupted.
 */
export const makeGroupCommit = Effect.fnUntraced(function* <Op, A, E>(options: {
  readonly commit: (ops: ReadonlyArray<Op>) => Effect.Effect<ReadonlyArray<A>, E>
  readonly isolate: (error: E) => boolean
  readonly maxBatch: number
}): Effect.fn.Return<(op: Op) => Effect.Effect<A, E>, never, Scope.Scope> {
  let queue: Array<Waiting<Op, A, E>> = []
  const work = yield* Latch.make()

  const commitAll = (batch: ReadonlyArray<Waiting<Op, A, E>>): Effect.Effect<void> =>
    options.commit(batch.map(({ op }) => op)).pipe(
      Effect.matchCauseEffect({
        onSuccess: (answers) =>
          Effect.sync(() => {
            for (const [index, answer] of answers.entries()) batch[index]?.resume(Effect.succeed(answer))
          }),
        onFailure: (cause) => {
          const failure = Effect.failCause(cause)
          const error = cause.reasons.find((reason) => reason._tag === "Fail")
          if (batch.length > 1 && error !== undefined && options.isolate(error.error)) {
            return Effect.forEach(batch, (one) => commitAll([one]), { discard: true })
          }
          return Effect.sync(() => {
            for (const { resume } of batch) resume(failure)
          })
        }
      })
    )

  const next = Effect.suspend(() => {
    const batch = queue.slice(0, options.maxBatch)
    queue = queue.slice(options.maxBatch)
    if (queue.length === 0) work.closeUnsafe()
    return commitAll(batch)
  })

  yield* Effect.addFinalizer(() =>
    Effect.whileLoop({ while: () => queue.length > 0, body: () => next, step: () => {} })
  )
  yield* work.await.pipe(Effect.andThen(Effect.uninterruptible(next)), Effect.forever, Effect.forkScoped)

  return (op) =>
    Effect.callback((resume) => {
      queue.push({ op, resume })
      work.openUnsafe()
    })
})
