import { isMessage } from "../../domain/Message.ts"
import type { MessagesRequest } from "../../domain/MessagesRequest.ts"
import { type Rule, type ValidatedRequest, validate } from "../ApiRules.ts"
import { onDemandBeta } from "../rules/compaction.ts"
import { brokenSeal } from "./CompactionSeal.ts"
import { type SimulatedModel, simulatedModel } from "./SimulatedModel.ts"

/** Why a body is refused: the status and the text of its error. */
export interface Refused {
  readonly status: number
  readonly message: string
  readonly errorCode?: string | undefined
}

export interface Accepted<A> {
  readonly request: A
  readonly model: SimulatedModel
}

type Body = Readonly<Record<string, unknown>>

const refused = (message: string, status = 400): Refused => ({ status, message })

/** Rules that upstream names in `error.details.error_code`, by the same names. */
const coded: ReadonlySet<Rule> = new Set<Rule>([
  "compaction_incomplete_turn",
  "compaction_nothing_to_summarize",
  "compaction_block_misplaced",
  "compaction_block_ambiguous"
])

const isArrayOfObjects = (u: unknown): boolean =>
  Array.isArray(u) && u.every((item) => typeof item === "object" && item !== null)

const shape = (body: Body, needsMaxTokens: boolean): Refused | undefined => {
  if (typeof body.model !== "string") return refused("model: Field required")
  if (needsMaxTokens && typeof body.max_tokens !== "number") return refused("max_tokens: Field required")
  if (!Array.isArray(body.messages)) return refused("messages: Field required")
  const at = body.messages.findIndex((message) => !isMessage(message))
  if (at >= 0) return refused(`messages.${at}: Input should be a valid message with a role and content blocks`)
  const { system, tools } = body
  if (system !== undefined && typeof system !== "string" && !isArrayOfObjects(system)) {
    return refused("system: Input should be a valid string or list")
  }
  return tools === undefined || isArrayOfObjects(tools) ? undefined : refused("tools: Input should be a valid list")
}

const outputLimit = (body: Body, model: SimulatedModel): Refused | undefined =>
  typeof body.max_tokens === "number" && body.max_tokens > model.maxOutput
    ? refused(
        `max_tokens: ${body.max_tokens} > ${model.maxOutput}, which is the maximum allowed number of output tokens for ${model.id}`
      )
    : undefined

type Headers = Readonly<Record<string, string>>

const structure = (request: ValidatedRequest, headers: Headers): Refused | undefined => {
  const betas = (headers["anthropic-beta"] ?? "").split(",").map((beta) => beta.trim())
  const violation = validate(request, { version: headers["anthropic-version"], betas })[0]
  if (violation !== undefined) {
    const { message, rule } = violation
    return { ...refused(message), ...(coded.has(rule) ? { errorCode: rule } : {}) }
  }
  const broken = brokenSeal(request.messages, betas.includes(onDemandBeta))
  return broken && { ...broken, status: 400 }
}

const check = (body: Body, headers: Headers, needsMaxTokens: boolean): Refused | SimulatedModel => {
  const misshapen = shape(body, needsMaxTokens)
  if (misshapen !== undefined) return misshapen
  const name = String(body.model)
  const model = simulatedModel(name)
  if (model === undefined) return refused(`model: ${name}`, 404)
  // Every required field was checked above.
  return structure(body as unknown as ValidatedRequest, headers) ?? outputLimit(body, model) ?? model
}

export const isRefused = (u: object): u is Refused => "status" in u

/** A Messages body that upstream would accept, or why not. */
export const checkMessages = (body: Body, headers: Headers): Refused | Accepted<MessagesRequest> => {
  const model = check(body, headers, true)
  // `check` made sure of `model`, `max_tokens` and `messages`.
  return isRefused(model) ? model : { request: body as unknown as MessagesRequest, model }
}

/** The same for `count_tokens`. */
export const checkCount = (body: Body, headers: Headers): Refused | Accepted<ValidatedRequest> => {
  const model = check(body, headers, false)
  // `check` made sure of `model` and `messages`.
  return isRefused(model) ? model : { request: body as unknown as ValidatedRequest, model }
}
