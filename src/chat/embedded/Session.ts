import { Duplex } from "node:stream"
import * as Protocol from "./Protocol.ts"

/** What a session asks of the backend: run this batch, or (`farewell`) forget what the session left there. */
export interface Job {
  readonly session: Session
  readonly batch: Uint8Array<ArrayBuffer>
  readonly farewell: boolean
}

/**
 * The server's end of one client connection: answers the start-up handshake itself, and submits what follows in batches,
 * each a whole exchange up to its Sync (or one simple query).
 */
export class Session extends Duplex {
  /** True once nothing can be delivered any more. */
  gone = false
  readonly #id: number
  readonly #submit: (job: Job) => void
  #started = false
  #unread = new Uint8Array(0)
  #batch: Array<Uint8Array> = []
  readonly #statements = new Set<string>()

  constructor(id: number, submit: (job: Job) => void) {
    super({ allowHalfOpen: false })
    this.#id = id
    this.#submit = submit
  }

  deliver(frame: Uint8Array): void {
    if (!this.gone) this.push(frame)
  }

  fail(error: Error): void {
    this.#leave()
    this.destroy(error)
  }

  override _read(): void {}

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    // A copy: the client may reuse its buffer once the write is done.
    this.#unread = Protocol.concat([this.#unread, chunk])
    while (!this.gone && (this.#started ? this.#readMessage() : this.#readStart())) {}
    done()
  }

  override _final(done: (error?: Error | null) => void): void {
    done()
    this.#leave()
    this.push(null)
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#leave()
    done(error)
  }

  #leave(): void {
    if (this.gone) return
    this.gone = true
    this.#submit({ session: this, batch: Protocol.closeStatements(this.#statements), farewell: true })
  }

  #take(length: number): Uint8Array | undefined {
    if (this.#unread.length < length) return undefined
    const taken = this.#unread.subarray(0, length)
    this.#unread = this.#unread.subarray(length)
    return taken
  }

  #readStart(): boolean {
    if (this.#unread.length < 8) return false
    const start = this.#take(Protocol.readInt32(this.#unread, 0))
    if (start === undefined) return false
    const kind = Protocol.readInt32(start, 4)
    if (kind === Protocol.request.ssl) this.push(Protocol.refuseSsl)
    // One synchronous backend: there is nothing to interrupt, and the client waits for the connection to close.
    else if (kind === Protocol.request.cancel) this.destroy()
    else {
      this.#started = true
      this.push(Protocol.greeting(this.#id))
    }
    return true
  }

  #readMessage(): boolean {
    if (this.#unread.length < 5) return false
    const message = this.#take(1 + Protocol.readInt32(this.#unread, 1))
    if (message === undefined) return false
    switch (message[0]) {
      case Protocol.code("X"):
        this.#leave()
        this.push(null)
        return false
      // Flush: a batch is answered as a whole anyway.
      case Protocol.code("H"):
        return true
      case Protocol.code("P"):
        this.#statements.add(Protocol.readName(message, 5))
        break
      case Protocol.code("C"):
        if (message[5] === Protocol.code("S")) this.#statements.delete(Protocol.readName(message, 6))
    }
    this.#batch.push(message)
    if (message[0] === Protocol.code("S") || message[0] === Protocol.code("Q")) this.#flush()
    return true
  }

  #flush(): void {
    this.#submit({ session: this, batch: Protocol.concat(this.#batch), farewell: false })
    this.#batch = []
  }
}
