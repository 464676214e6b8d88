import { LRUCache } from "lru-cache"
import { modelClass } from "./ModelClass.ts"
import { UpstreamClass } from "./UpstreamClass.ts"

const maxClasses = 64
/** Pools of clients' own keys that are remembered. */
const maxOwn = 1_000

/** Upstream's pools: one for each model class that requests named, and the same again for each key of a client's own. */
export class Pools {
  readonly classes = new Map<string, UpstreamClass>()
  private readonly own = new LRUCache<string, UpstreamClass>({ max: maxOwn })
  private readonly fallbackLimit: number

  /** `fallbackLimit`: see `UpstreamClass`. */
  constructor(fallbackLimit: number) {
    this.fallbackLimit = fallbackLimit
  }

  /** The name of a model's pool. Models' names come from clients: once there are many, new ones share one class. */
  nameOf(model: string, account: string | undefined): string {
    const name = modelClass(model)
    if (account !== undefined) return `${name} ${account}`
    return this.classes.size < maxClasses || this.classes.has(name) ? name : "other"
  }

  get(name: string, account: string | undefined): UpstreamClass {
    const pools = account === undefined ? this.classes : this.own
    const known = pools.get(name)
    if (known !== undefined) return known
    const opened = new UpstreamClass(this.fallbackLimit)
    pools.set(name, opened)
    return opened
  }
}
