import { type Checked, type Violation, violation } from "./Violation.ts"

/** Models up to 4.5 continue a last assistant message; from 4.6 on it is an error. */
export const acceptsPrefill = (model: string): boolean =>
  /claude-(instant|2|3)|-4-5(-|@|$)|-4-1(-|@|$)|-4(-|@)2025|-4-0(-|@|$)|(opus|sonnet)-4$/.test(model)

/** Fable and Mythos 5 and later, Opus 4.8 and later, Sonnet 5.5, Haiku 5.5; not Sonnet 5. */
export const acceptsSystemMessages = (model: string): boolean =>
  /(fable|mythos)-[5-9]|opus-(4-8|[5-9])|(sonnet|haiku)-5-5/.test(model)

/** From Opus 4.6 and Sonnet 4.6 on. */
export const acceptsCompaction = (model: string): boolean =>
  /(fable|mythos|opus|sonnet|haiku)-[5-9]|mythos-preview|opus-4-[678]|sonnet-4-6/.test(model)

const refusesThinkingBudget = (model: string): boolean => /(fable|mythos|opus|sonnet|haiku)-5|opus-4-[78]/.test(model)
const refusesThinkingOff = (model: string): boolean => /fable|mythos|(opus|sonnet)-5-5/.test(model)
const refusesForcedTool = (model: string): boolean => /(opus|sonnet)-5-5|(fable|mythos)-5-1/.test(model)

const sampling = ["temperature", "top_p", "top_k"]

const typeOf = (u: unknown): unknown => (typeof u === "object" && u !== null && "type" in u ? u.type : undefined)

const maxTokens = (request: Checked["request"]): ReadonlyArray<Violation> => {
  const value = request.max_tokens
  if (value === undefined) return []
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) {
    return [violation("max_tokens", "max_tokens", "Input should be greater than or equal to 1")]
  }
  // 0 only warms the prompt cache.
  return value === 0 && request.stream === true
    ? [violation("max_tokens", "max_tokens", "0 is not supported with streaming")]
    : []
}

/** Parameters that some models or API versions refuse. */
export const modelRules = ({ request }: Checked, version: string | undefined): ReadonlyArray<Violation> => {
  const { model } = request
  const found = [...maxTokens(request)]
  if (version !== undefined && version >= "2026-10-21") {
    for (const name of sampling) {
      if (name in request) found.push(violation("sampling_refused", name, "Extra inputs are not permitted"))
    }
  }
  const thinking = typeOf(request.thinking)
  if (
    (thinking === "enabled" && refusesThinkingBudget(model)) ||
    (thinking === "disabled" && refusesThinkingOff(model))
  ) {
    found.push(violation("thinking_mode", "thinking.type", `"${thinking}" is not supported on this model`))
  }
  const choice = typeOf(request.tool_choice)
  if ((choice === "any" || choice === "tool") && refusesForcedTool(model)) {
    found.push(violation("tool_choice", "tool_choice", "forced tool use is not supported on this model"))
  }
  return found
}
