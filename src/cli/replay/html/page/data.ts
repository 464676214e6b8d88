/** Figures of one conversation under one policy, a number a point. Tokens, and millionths of a dollar. */
export interface Series {
  readonly old: ReadonlyArray<number>
  readonly mid: ReadonlyArray<number>
  readonly recent: ReadonlyArray<number>
  readonly read: ReadonlyArray<number>
  readonly write5m: ReadonlyArray<number>
  readonly write1h: ReadonlyArray<number>
  readonly plain: ReadonlyArray<number>
  /** Points at which a compaction happened. */
  readonly compactions: ReadonlyArray<number>
}

export interface Chart {
  readonly name: string
  readonly requests: number
  /** Requests that one point stands for: sizes are of the last of them, dollars of all. */
  readonly every: number
  /** Tokens of the whole history, without the prefix. */
  readonly raw: ReadonlyArray<number>
  readonly policies: Readonly<Record<string, Series>>
}

/** What the page draws. */
export interface ChartData {
  /** Tokens of system and tools, in every request. */
  readonly prefix: number
  readonly charts: ReadonlyArray<Chart>
}

/** One line or layer of a picture. `colour` names a custom property of page.css. */
export interface Layer {
  readonly label: string
  readonly colour: string
  readonly values: ReadonlyArray<number>
}

export interface Picture {
  /** The element's id; `-legend` and `-table` belong to it. */
  readonly id: string
  readonly label: string
  /** Requests that a point stands for. */
  readonly every: number
  /** Drawn on top of each other, the first at the bottom. */
  readonly stack: ReadonlyArray<Layer>
  readonly lines: ReadonlyArray<Layer>
  readonly bars: boolean
  /** Points that get a mark. */
  readonly marks: ReadonlyArray<number>
  readonly format: (value: number) => string
  /** Whether the vertical axis leaves out lines that are far above the stack. */
  readonly zoomed: boolean
}
