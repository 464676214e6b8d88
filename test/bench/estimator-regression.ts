/**
 * Robust ridge regression of relative errors: least squares, reweighted so that what is far off hardly counts, held to a
 * prior, without negative coefficients.
 */
export interface Observation {
  readonly features: ReadonlyArray<number>
  readonly actual: number
  readonly weight: number
}

export interface RegressionOptions {
  readonly prior: ReadonlyArray<number>
  /** Strength of the pull towards the prior, per observation. */
  readonly ridge: number
  /** Relative error from which an observation loses weight. */
  readonly tolerance: number
  /** Tokens added to the denominator of relative errors, so that small observations do not rule. */
  readonly floor: number
}

export const product = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): number =>
  a.reduce((sum, x, i) => sum + x * (b[i] ?? 0), 0)

/** Solves a symmetric system by elimination with pivots. */
const solve = (matrix: ReadonlyArray<ReadonlyArray<number>>, right: ReadonlyArray<number>): ReadonlyArray<number> => {
  const rows = matrix.map((row, i) => [...row, right[i] ?? 0])
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows.reduce((best, row, r) => {
      const better = r >= i && Math.abs(row[i] ?? 0) > Math.abs(rows[best]?.[i] ?? 0)
      return better ? r : best
    }, i)
    const [head, swapped] = [rows[pivot] ?? [], rows[i] ?? []]
    rows[i] = head
    rows[pivot] = swapped
    const lead = head[i] ?? 0
    rows.forEach((row, r) => {
      const factor = (row[i] ?? 0) / lead
      if (r !== i && factor !== 0)
        for (let c = i; c <= rows.length; c++) row[c] = (row[c] ?? 0) - factor * (head[c] ?? 0)
    })
  }
  return rows.map((row, i) => (row[rows.length] ?? 0) / (row[i] ?? 1))
}

/** Leaves out what would turn negative, and solves again. */
const solvePositive = (matrix: ReadonlyArray<ReadonlyArray<number>>, right: ReadonlyArray<number>) => {
  let kept = right.map((_, i) => i)
  for (;;) {
    const found = solve(
      kept.map((i) => kept.map((j) => matrix[i]?.[j] ?? 0)),
      kept.map((i) => right[i] ?? 0)
    )
    const positive = kept.filter((_, at) => (found[at] ?? 0) >= 0)
    if (positive.length === kept.length) {
      const all = right.map(() => 0)
      kept.forEach((i, at) => {
        all[i] = found[at] ?? 0
      })
      return all
    }
    kept = positive
  }
}

interface Scaled {
  readonly features: ReadonlyArray<number>
  readonly actual: number
  weight: number
  readonly given: number
}

const normalEquations = (rows: ReadonlyArray<Scaled>, width: number) => {
  const matrix = Array.from({ length: width }, () => new Array<number>(width).fill(0))
  const right = new Array<number>(width).fill(0)
  for (const { features, actual, weight, given } of rows) {
    features.forEach((x, i) => {
      if (x === 0) return
      const weighted = weight * given * x
      right[i] = (right[i] ?? 0) + weighted * actual
      const line = matrix[i] ?? []
      for (let j = 0; j < width; j++) line[j] = (line[j] ?? 0) + weighted * (features[j] ?? 0)
    })
  }
  return { matrix, right }
}

/** The weight of an error: first like a median's, then falling to nothing. */
const trust = (error: number, tolerance: number, round: number): number =>
  round < 6 ? tolerance / Math.max(error, tolerance) : 1 / (1 + (error / (2 * tolerance)) ** 2) ** 2

export const regress = (
  observations: ReadonlyArray<Observation>,
  { prior, ridge, tolerance, floor }: RegressionOptions
): ReadonlyArray<number> => {
  const relative = observations.map(({ features, actual, weight }) => ({
    features: features.map((x) => x / (actual + floor)),
    actual: actual / (actual + floor),
    given: weight
  }))
  const scales = prior.map(
    (_, i) => Math.sqrt(relative.reduce((sum, { features }) => sum + (features[i] ?? 0) ** 2, 0) / relative.length) || 1
  )
  const rows = relative.map(
    (row): Scaled => ({
      ...row,
      weight: 1,
      features: row.features.map((x, i) => x / (scales[i] ?? 1))
    })
  )
  const pull = ridge * rows.length
  let found: ReadonlyArray<number> = []
  for (let round = 0; round < 20; round++) {
    const { matrix, right } = normalEquations(rows, prior.length)
    prior.forEach((value, i) => {
      const line = matrix[i] ?? []
      line[i] = (line[i] ?? 0) + pull
      right[i] = (right[i] ?? 0) + pull * value * (scales[i] ?? 1)
    })
    found = solvePositive(matrix, right)
    for (const row of rows) row.weight = trust(Math.abs(product(row.features, found) - row.actual), tolerance, round)
  }
  return found.map((value, i) => value / (scales[i] ?? 1))
}
