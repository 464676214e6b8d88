import { sseLines } from "./sse.ts"
import type { Frame } from "./types.ts"

export interface FeedOptions {
  /** The address of a path of the server. */
  readonly url: (path: string) => string
  readonly headers: () => Record<string, string>
  readonly onFrames: (frames: ReadonlyArray<Frame>) => void
  /** Events were lost: what was put together from them may be wrong. */
  readonly onGap: () => void
  readonly onOpen: (open: boolean) => void
  /** Before each attempt: true when the server is another process than before, whose numbering began anew. */
  readonly restarted: () => Promise<boolean>
}

const firstDelay = 500
const longestDelay = 10_000
/** Heartbeats come more often than this; without one the line counts as dead. */
const silenceMillis = 45_000
/** Frames are handed over in batches: fifty events a second must not mean fifty renderings. */
const batchMillis = 200

const isFrame = (value: unknown): value is Frame =>
  typeof value === "object" && value !== null && "seq" in value && "event" in value && typeof value.seq === "number"

const isGap = (value: unknown): boolean =>
  typeof value === "object" && value !== null && "type" in value && value.type === "gap"

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** A browser sends no headers with a WebSocket; the token goes as a subprotocol. */
const protocols = (authorization: string | undefined): Array<string> => {
  if (authorization === undefined) return []
  const bytes = new TextEncoder().encode(authorization.slice("Bearer ".length))
  const text = btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "")
  return ["sluice", `bearer.${text}`]
}

/**
 * Every event, in order, once: by WebSocket, or by server-sent events where WebSockets do not get through. Reconnects for ever and asks for what it missed.
 */
export class LiveFeed {
  private readonly options: FeedOptions
  private seq = 0
  private attempt = 0
  private stopped = false
  private socketWorks = true
  private pending: Array<Frame> = []
  private timer: ReturnType<typeof setTimeout> | undefined
  private flushTimer: ReturnType<typeof setTimeout> | undefined
  private watchdog: ReturnType<typeof setTimeout> | undefined
  private hangUp: () => void = () => {}
  private connects = 0

  constructor(options: FeedOptions) {
    this.options = options
  }

  start(): void {
    this.stopped = false
    void this.connect()
  }

  /** For another reader: tells everything that is kept once more. */
  startAnew(): void {
    this.stop()
    this.seq = 0
    this.attempt = 0
    this.socketWorks = true
    this.start()
  }

  stop(): void {
    this.stopped = true
    clearTimeout(this.timer)
    clearTimeout(this.flushTimer)
    clearTimeout(this.watchdog)
    this.flushTimer = undefined
    this.pending = []
    this.hangUp()
  }

  /** At once, not at the next attempt. */
  private reconnect(): void {
    clearTimeout(this.timer)
    this.attempt = 0
    this.socketWorks = true
    this.hangUp()
    void this.connect()
  }

  private async connect(): Promise<void> {
    const mine = ++this.connects
    const restarted = await this.options.restarted().catch(() => false)
    if (restarted) this.seq = 0
    if (this.stopped || mine !== this.connects) return
    if (this.socketWorks) this.bySocket()
    else this.byStream()
  }

  private bySocket(): void {
    const address = new URL(this.options.url(`/ws?since=${this.seq}`), location.href)
    address.protocol = address.protocol.replace("http", "ws")
    const socket = new WebSocket(address, protocols(this.options.headers().authorization))
    let opened = false
    const end = this.once(() => {
      socket.close()
      if (!opened) this.socketWorks = false
    })
    socket.onopen = () => {
      opened = true
      this.opened()
    }
    socket.onmessage = ({ data }) => this.receive(String(data))
    socket.onclose = end
    socket.onerror = end
  }

  private byStream(): void {
    const abort = new AbortController()
    const end = this.once(() => {
      abort.abort()
      this.socketWorks = true
    })
    const init = { headers: this.options.headers(), signal: abort.signal, cache: "no-store" } as const
    fetch(this.options.url(`/api/events?since=${this.seq}`), init)
      .then(async (response) => {
        if (!response.ok || response.body === null) return
        this.opened()
        for await (const data of sseLines(response.body)) this.receive(data)
      })
      .catch(() => {})
      .finally(end)
  }

  /** Ends a line only once, whoever notices first, and plans the next. */
  private once(close: () => void): () => void {
    let over = false
    const end = () => {
      if (over) return
      over = true
      clearTimeout(this.watchdog)
      close()
      this.options.onOpen(false)
      if (this.stopped || this.hangUp !== drop) return
      const delay = Math.min(longestDelay, firstDelay * 2 ** this.attempt)
      this.attempt += 1
      this.timer = setTimeout(() => void this.connect(), delay)
    }
    const drop = () => {
      this.hangUp = () => {}
      end()
    }
    this.hangUp = drop
    return end
  }

  private opened(): void {
    this.attempt = 0
    this.options.onOpen(true)
    this.heard()
  }

  private heard(): void {
    clearTimeout(this.watchdog)
    this.watchdog = setTimeout(() => this.reconnect(), silenceMillis)
  }

  private receive(text: string): void {
    this.heard()
    const frame = parse(text)
    if (isGap(frame)) this.options.onGap()
    if (!isFrame(frame) || frame.seq <= this.seq) return
    this.seq = frame.seq
    this.pending.push(frame)
    this.flushTimer ??= setTimeout(() => this.flush(), batchMillis)
  }

  private flush(): void {
    this.flushTimer = undefined
    const frames = this.pending
    this.pending = []
    this.options.onFrames(frames)
  }
}
