/** Something a `Heap` holds: `key` orders it, `order` breaks ties, `index` is the heap's own bookkeeping (-1: outside). */
export interface Keyed {
  key: number
  order: number
  index: number
}

const before = (a: Keyed, b: Keyed): boolean => a.key < b.key || (a.key === b.key && a.order < b.order)

/** A binary heap whose items know their place, so that removing or re-keying any of them costs O(log n). */
export class Heap<A extends Keyed> {
  private readonly items: Array<A> = []

  get size(): number {
    return this.items.length
  }

  get top(): A | undefined {
    return this.items[0]
  }

  push(item: A): void {
    this.items.push(item)
    this.rise(item, this.items.length - 1)
  }

  remove(item: A): void {
    const last = this.items.pop()
    if (last === undefined || last === item) {
      item.index = -1
      return
    }
    const index = item.index
    item.index = -1
    this.place(last, index)
  }

  /** To be called after an item's key has changed. */
  moved(item: A): void {
    this.place(item, item.index)
  }

  private place(item: A, index: number): void {
    const parent = this.items[(index - 1) >> 1]
    if (index > 0 && parent !== undefined && before(item, parent)) this.rise(item, index)
    else this.sink(item, index)
  }

  private rise(item: A, from: number): void {
    let index = from
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = this.items[above]
      if (parent === undefined || !before(item, parent)) break
      this.put(parent, index)
      index = above
    }
    this.put(item, index)
  }

  private sink(item: A, from: number): void {
    let index = from
    for (;;) {
      const left = 2 * index + 1
      let child = this.items[left]
      if (child === undefined) break
      let below = left
      const right = this.items[left + 1]
      if (right !== undefined && before(right, child)) {
        child = right
        below = left + 1
      }
      if (!before(child, item)) break
      this.put(child, index)
      index = below
    }
    this.put(item, index)
  }

  private put(item: A, index: number): void {
    this.items[index] = item
    item.index = index
  }
}
