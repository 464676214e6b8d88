import { Schema } from "effect"

/** What was learned about a model from real usage. */
export const Calibration = Schema.Struct({
  factor: Schema.Finite.annotate({ description: "real tokens per estimated token" }),
  observations: Schema.Natural,
  allowance: Schema.Finite.annotate({
    description: "tokens that a client may add unseen to one step of a conversation"
  })
})
export interface Calibration extends Schema.Schema.Type<typeof Calibration> {}

/**
 * Without the allowance the bound below held for 99.3 % of the growths of prompts whose client adds nothing unseen. Claude
 * Code adds reminders, changed and mentioned files: 800 tokens for them held for 99.0 % of all 2,335 growths.
 */
export const uncalibrated: Calibration = { factor: 1, observations: 0, allowance: 800 }

const factorRange = { least: 2 / 3, most: 3 / 2 }
const allowanceRange = { least: 200, most: 4_000 }
/** Beyond these ratios it is not the text that was estimated badly: content was hidden, or the usage is about something else. */
const plausible = { least: 1 / 2, most: 2 }
/** How much of a share of steps may exceed the bound in the long run. */
const exceeded = 0.003

const within = (n: number, { least, most }: { readonly least: number; readonly most: number }): number =>
  Math.min(most, Math.max(least, n))

/** Restores what a store gave back to its ranges. */
export const bounded = ({ factor, observations, allowance }: Calibration): Calibration => ({
  factor: within(factor, factorRange),
  observations,
  allowance: within(allowance, allowanceRange)
})

/**
 * The bound without allowance: the relative part falls from 10 % to 6 % as a model is observed, because the mix of
 * content of an unknown repository can be off by some per cent.
 */
const spread = (tokens: number, { observations }: Calibration): number =>
  tokens * (0.06 + 0.8 / (20 + observations)) + 3 * Math.sqrt(tokens) + 10

/** Tokens, calibrated, that content estimated at `tokens` takes at most. */
export const boundOf = (tokens: number, calibration: Calibration): number =>
  tokens + spread(tokens, calibration) + calibration.allowance

export interface Observation {
  /** The uncalibrated estimate of what is new in a prompt. */
  readonly estimated: number
  /** What upstream counted for it. */
  readonly actual: number
}

/** One step towards the ratio that was seen, at most 10 % of the way off, smaller with every observation. */
const nearer = ({ factor, observations }: Calibration, { estimated, actual }: Observation): number => {
  const ratio = actual / (estimated * factor)
  if (!(ratio > plausible.least && ratio < plausible.most)) return factor
  const step = within(Math.log(ratio), { least: -0.1, most: 0.1 })
  const weight = Math.min(1, estimated / 1_000) / (25 + Math.min(observations, 175))
  return within(factor * Math.exp(step * weight), factorRange)
}

/** Follows the quantile of what exceeds the estimate: up by far when the bound failed, down a little when it held. */
const covering = (calibration: Calibration, { estimated, actual }: Observation): number => {
  const held = actual <= boundOf(estimated * calibration.factor, calibration)
  return within(calibration.allowance * Math.exp(held ? -0.5 * exceeded : 0.5 * (1 - exceeded)), allowanceRange)
}

/** Learns from one observation. Absurd ones (nothing, negative, not finite) are ignored; a single one moves little. */
export const learn = (calibration: Calibration, observation: Observation): Calibration => {
  const { actual, estimated } = observation
  if (!(Number.isFinite(actual) && actual > 0 && Number.isFinite(estimated) && estimated >= 20)) return calibration
  return {
    factor: nearer(calibration, observation),
    observations: calibration.observations + 1,
    allowance: covering(calibration, observation)
  }
}
