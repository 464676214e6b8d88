import type { Duplex } from "node:stream"
import { Clock, Effect, Exit, Option, Queue, Scope } from "effect"
import { type Engine, EngineFailed } from "./Engine.ts"
import * as Protocol from "./Protocol.ts"
import { type Job, Session } from "./Session.ts"

export interface BridgeOptions {
  readonly open: Effect.Effect<Engine, EngineFailed, Scope.Scope>
  /** A batch that takes longer costs the backend its life: PGlite cannot be interrupted. Milliseconds. */
  readonly batchLimit: number
  /** A transaction that says nothing for so long while others wait is rolled back. Milliseconds. */
  readonly silenceLimit: number
  /** A checkpoint follows when so many bytes were sent to the backend: nobody else limits the size of its log. */
  readonly checkpointBytes: number
}

/** Many sessions on one backend: each batch runs alone, and from BEGIN to COMMIT the backend belongs to one session. */
class Bridge {
  private readonly options: BridgeOptions
  private readonly scope: Scope.Scope
  private readonly jobs: Queue.Queue<Job>
  private readonly sessions = new Set<Session>()
  private waiting: Array<Job> = []
  private engine: { readonly use: Engine; readonly scope: Scope.Closeable } | undefined
  private holder: Session | undefined
  private heardAt = 0
  private opened = 0
  private sent = 0

  constructor(options: BridgeOptions, scope: Scope.Scope, jobs: Queue.Queue<Job>) {
    this.options = options
    this.scope = scope
    this.jobs = jobs
  }

  connect(): Duplex {
    const session = new Session(++this.opened, (job) => {
      if (job.farewell) this.sessions.delete(job.session)
      Queue.offerUnsafe(this.jobs, job)
    })
    this.sessions.add(session)
    return session
  }

  readonly start = Effect.suspend(() => {
    if (this.engine !== undefined) return Effect.succeed(this.engine.use)
    return Effect.gen({ self: this }, function* () {
      const scope = yield* Scope.fork(this.scope)
      const use = yield* Scope.provide(this.options.open, scope).pipe(
        Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
      )
      this.engine = { use, scope }
      return use
    })
  })

  readonly serve: Effect.Effect<never> = Effect.gen({ self: this }, function* () {
    while (true) {
      const job = yield* this.next
      yield* this.run(job).pipe(
        Effect.catchDefect((defect) => Effect.fail(new EngineFailed({ reason: String(defect) }))),
        Effect.catch((failure) => this.recover(failure, job.session))
      )
    }
  })

  private readonly next = Effect.gen({ self: this }, function* () {
    while (true) {
      if (this.holder === undefined) {
        const first = this.waiting.shift()
        if (first !== undefined) return first
      }
      const job = yield* this.take
      if (this.holder === undefined || job.session === this.holder) return job
      this.waiting.push(job)
    }
  })

  // A fiber that waits inside its transaction for another fiber's query would otherwise stop the whole application.
  private readonly take: Effect.Effect<Job> = Effect.gen({ self: this }, function* () {
    if (this.holder === undefined || this.waiting.length === 0) return yield* Queue.take(this.jobs)
    const silent = (yield* Clock.currentTimeMillis) - this.heardAt
    const job = yield* Effect.timeoutOption(Queue.take(this.jobs), Math.max(0, this.options.silenceLimit - silent))
    if (Option.isNone(job)) this.holder.fail(new Error("rolled back: the transaction was silent while others waited"))
    return Option.isSome(job) ? job.value : yield* Queue.take(this.jobs)
  })

  private readonly run = Effect.fnUntraced(function* (this: Bridge, job: Job) {
    // Nobody waits for the answer; and a backend that died has nothing left to forget.
    if (job.farewell ? this.engine === undefined : job.session.gone) return
    const batch =
      job.farewell && job.session === this.holder ? Protocol.concat([Protocol.rollback, job.batch]) : job.batch
    this.sent += batch.length
    const answer = Protocol.readAnswer(yield* this.exchange(batch))
    this.holder = answer.inTransaction ? job.session : undefined
    this.heardAt = yield* Clock.currentTimeMillis
    for (const frame of answer.frames) job.session.deliver(frame)
    for (const frame of answer.notifications) for (const session of this.sessions) session.deliver(frame)
    if (this.holder !== undefined || this.sent < this.options.checkpointBytes) return
    this.sent = 0
    yield* this.exchange(Protocol.checkpoint())
  })

  private readonly exchange = Effect.fnUntraced(function* (this: Bridge, batch: Uint8Array<ArrayBuffer>) {
    const engine = yield* this.start
    const limit = `no answer within ${this.options.batchLimit / 1000} s`
    return yield* engine.run(batch).pipe(
      Effect.timeoutOrElse({
        duration: this.options.batchLimit,
        orElse: () => Effect.andThen(engine.kill(limit), Effect.fail(new EngineFailed({ reason: limit })))
      })
    )
  })

  /** Costs the queries in flight and no more: the next job opens the backend again. */
  private readonly recover = Effect.fnUntraced(function* (this: Bridge, failure: EngineFailed, current: Session) {
    const error = new Error(`the embedded database stopped: ${failure.reason}`)
    const busy = new Set(this.waiting.map((job) => job.session))
    // Idle sessions first: the client's pool must know them dead before a fiber that waits here asks for another.
    const rank = (session: Session) => (session === current ? 2 : busy.has(session) ? 1 : 0)
    for (const session of Array.from(this.sessions).sort((a, b) => rank(a) - rank(b))) session.fail(error)
    // Their jobs that are still queued are passed over: `run` knows that these sessions are gone.
    this.waiting = []
    this.holder = undefined
    const engine = this.engine
    this.engine = undefined
    if (engine !== undefined) yield* Scope.close(engine.scope, Exit.void)
  })
}

/** Opens the backend and serves sessions on it until the scope closes; a backend that died is opened again when needed. */
export const make = Effect.fnUntraced(function* (options: BridgeOptions) {
  const bridge = new Bridge(options, yield* Effect.scope, yield* Queue.unbounded<Job>())
  yield* bridge.start
  yield* Effect.forkScoped(bridge.serve)
  return (): Duplex => bridge.connect()
})
