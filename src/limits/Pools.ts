import { modelClass } from "./ModelClass.ts"
import { UpstreamClass } from "./UpstreamClass.ts"

const maxClasses = 64

/** Upstream's pools, one for each model class that requests named. */
export class Pools {
  readonly classes = new Map<string, UpstreamClass>()
  private readonly fallbackLimit: number

  /** `fallbackLimit`: see `UpstreamClass`. */
  constructor(fallbackLimit: number) {
    this.fallbackLimit = fallbackLimit
  }

  /** The class of a model. Names come from clients: once there are many, new ones share one class. */
  nameOf(model: string): string {
    const name = modelClass(model)
    return this.classes.size < maxClasses || this.classes.has(name) ? name : "other"
  }

  get(name: string): UpstreamClass {
    const known = this.classes.get(name)
    if (known !== undefined) return known
    const opened = new UpstreamClass(this.fallbackLimit)
    this.classes.set(name, opened)
    return opened
  }
}
