import { LRUCache } from "lru-cache"

interface Count {
  failures: number
  readonly since: number
}

const windowMillis = 60_000
const allowed = 10
const maxClients = 10_000

/**
 * Counts wrong tokens per client: after ten within a minute the client waits for the minute's end, whatever it presents.
 * What has been right from there before goes on working, so that one program cannot lock out its neighbours.
 */
export class FailedAttempts {
  private readonly counts = new LRUCache<string, Count>({ max: maxClients })
  private readonly trusted = new LRUCache<string, true>({ max: maxClients })

  /** Milliseconds until this client may try this token; 0 for now. */
  wait(client: string, digest: string, now: number): number {
    const count = this.counts.get(client)
    if (count === undefined || count.failures < allowed || now >= count.since + windowMillis) return 0
    return this.trusted.get(`${client} ${digest}`) === true ? 0 : count.since + windowMillis - now
  }

  failed(client: string, now: number): void {
    const count = this.counts.get(client)
    if (count === undefined || now >= count.since + windowMillis) this.counts.set(client, { failures: 1, since: now })
    else count.failures++
  }

  succeeded(client: string, digest: string): void {
    this.trusted.set(`${client} ${digest}`, true)
  }
}
