import type { Message } from "../domain/Message.ts"
import type { MessagesRequest } from "../domain/MessagesRequest.ts"
import { cacheControlRules } from "./rules/cacheControl.ts"
import { compactionRules } from "./rules/compaction.ts"
import { contentRules } from "./rules/content.ts"
import { modelRules } from "./rules/models.ts"
import { sequenceRules } from "./rules/sequence.ts"
import { toolPairRules } from "./rules/toolPairs.ts"
import { toolRules } from "./rules/tools.ts"
import type { Checked, Violation } from "./rules/Violation.ts"

export type { Rule, Violation } from "./rules/Violation.ts"

/** A Messages API body, or that of `count_tokens`, which has no `max_tokens`. */
export interface ValidatedRequest {
  readonly model: string
  readonly messages: ReadonlyArray<Message>
  readonly system?: MessagesRequest["system"]
  readonly tools?: MessagesRequest["tools"]
  readonly [field: string]: unknown
}

export interface ValidateOptions {
  /** The `anthropic-version` header: `2026-10-21` refuses sampling parameters, older versions take them. */
  readonly version?: string | undefined
  /** The values of the `anthropic-beta` header: what needs one is refused without. Not looked at when left out. */
  readonly betas?: ReadonlyArray<string> | undefined
}

/**
 * Checks a request against the structure rules of the Messages API, and returns every violation with the wording that
 * upstream uses (empty: upstream would accept the structure). Pure, O(size of the request); reads text only to see
 * whether it is blank. Same-role neighbours are merged first, as upstream does.
 *
 * It does not check what needs a tokenizer ("prompt is too long"), a signature or the organisation's settings. Sources: the
 * Messages API documentation of November 2026, and its error texts as users reported them.
 */
export const validate = (request: ValidatedRequest, options?: ValidateOptions): ReadonlyArray<Violation> => {
  const checked: Checked = { request, system: request.system ?? [], tools: request.tools ?? [] }
  const sequence = sequenceRules(checked)
  const compaction = compactionRules(checked, options?.betas)
  // Without messages nothing else has a meaning.
  if (request.messages.length === 0) return [...compaction, ...sequence]
  return [
    ...compaction,
    ...modelRules(checked, options?.version),
    ...toolRules(checked),
    ...sequence,
    ...contentRules(checked),
    ...toolPairRules(checked),
    ...cacheControlRules(checked)
  ]
}
