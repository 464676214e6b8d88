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
 * Where a client adds nothing unseen, the bound without allowance held for 99.3 % of the growths of prompts that
 * were measured. Claude Code adds reminders, changed and mentioned files: with 1,000 tokens for them it held for 99.2 % of
 * all 2,335 (`npm run bench:estimator`, growths). The allowance then follows each model's own traffic.
 */
export const uncalibrated: Calibration = { factor: 1, observations: 0, allowance: 1_000 }

const factorRange = { least: 2 / 3, most: 3 / 2 }
const allowanceRange = { least: 200, most: 4_000 }
/** Beyond these ratios it is not the text that was estimated badly: content was hidden, or the usage is about something else. */
const plausible = { least: 1 / 2, most: 2 }
/** The share of steps that may exceed the bound in the long run; hidden content comes in bursts, so less than 1 %. */
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

/** Tokens that a step of a conversation, or a prompt, takes at most. `tokens` is its calibrated estimate. */
export const boundOf = (tokens: number, calibration: Calibration): number =>
  tokens + spread(tokens, calibration) + calibration.allowance

/** Tokens that a message takes at most: two to a step, and what a client adds to a step is in neither. */
export const messageBoundOf = (tokens: number, calibration: Calibration): number =>
  tokens + spread(tokens, calibration) + Math.min(calibration.allowance, uncalibrated.allowance) / 2

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
