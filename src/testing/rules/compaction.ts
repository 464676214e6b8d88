import type { ContentBlock } from "../../domain/Message.ts"
import { acceptsCompaction } from "./models.ts"
import { type Checked, merged, type Placed, placed, type Violation, violation } from "./Violation.ts"

/** Compaction on demand: the request asks for a signed block, or sends one back. */
export const onDemandBeta = "compact-2026-09-04"
/** Compaction at a token threshold: unsigned blocks behind what they summarise. */
const thresholdBeta = "compact-2026-01-12"

const maxInstructions = 16_384

type Fields = Readonly<Record<string, unknown>>
type Request = Checked["request"]

const fieldsOf = (u: unknown): Fields => (typeof u === "object" && u !== null ? { ...u } : {})
const isGiven = (u: unknown): boolean => u !== undefined && u !== null

/** The request is to be answered with a compaction block. */
export const asksForCompaction = ({ compaction }: Fields): boolean => isGiven(compaction)

const remaining = ({ output_config }: Request): boolean =>
  isGiven(fieldsOf(fieldsOf(output_config).task_budget).remaining)

const cannot: ReadonlyArray<readonly [path: string, isSent: (request: Request) => boolean]> = [
  ["context_management", ({ context_management }) => isGiven(context_management)],
  ["stop_sequences", ({ stop_sequences }) => Array.isArray(stop_sequences) && stop_sequences.length > 0],
  ["output_config.format", ({ output_config }) => isGiven(fieldsOf(output_config).format)],
  ["output_config.task_budget.remaining", remaining],
  ["tool_choice", ({ tool_choice }) => ["any", "tool"].includes(String(fieldsOf(tool_choice).type))]
]

const parameter = (compaction: unknown, model: string): ReadonlyArray<Violation> => {
  const { instructions, type } = fieldsOf(compaction)
  if (!acceptsCompaction(model)) {
    return [violation("compaction_parameter", "compaction", `compaction is not supported on ${model}`)]
  }
  if (type !== "summarize") return [violation("compaction_parameter", "compaction.type", "Input should be 'summarize'")]
  if (isGiven(instructions) && typeof instructions !== "string") {
    return [violation("compaction_parameter", "compaction.instructions", "Input should be a valid string")]
  }
  return typeof instructions === "string" && instructions.length > maxInstructions
    ? [
        violation(
          "compaction_parameter",
          "compaction.instructions",
          `String should have at most ${maxInstructions} characters`
        )
      ]
    : []
}

const openCalls: ReadonlySet<string> = new Set(["tool_use", "server_tool_use", "mcp_tool_use"])

const history = ({ messages }: Request): ReadonlyArray<Violation> => {
  const turns = merged(messages)
  if (!turns.some(({ blocks, role }) => role !== "system" && blocks.length > 0)) {
    const text = "there is no user or assistant content to summarize"
    return [violation("compaction_nothing_to_summarize", "messages", text)]
  }
  const last = turns.at(-1)
  const end = last?.blocks.at(-1)?.block.type
  return last?.role === "assistant" && end !== undefined && openCalls.has(end)
    ? [
        violation(
          "compaction_incomplete_turn",
          `messages.${last.index}`,
          "the last `assistant` turn ends in a tool call without a result. Send its results first."
        )
      ]
    : []
}

const asked = (request: Request, betas: ReadonlyArray<string> | undefined): ReadonlyArray<Violation> => {
  if (!asksForCompaction(request)) return []
  if (betas !== undefined && !betas.includes(onDemandBeta)) {
    return [violation("compaction_beta", "compaction", `\`compaction\` requires anthropic-beta: ${onDemandBeta}`)]
  }
  return [
    ...parameter(request.compaction, request.model),
    ...cannot.flatMap(([path, isSent]) =>
      isSent(request) ? [violation("compaction_combined", path, "cannot be combined with `compaction`")] : []
    ),
    ...history(request)
  ]
}

export const isCompaction = (block: ContentBlock): boolean => block.type === "compaction"

/** A block of compaction on demand; one that was made at a threshold has no signature. */
export const isSigned = (block: ContentBlock): boolean => isCompaction(block) && typeof block.signature === "string"

const own: ReadonlySet<string> = new Set([
  "type",
  "content",
  "encrypted_content",
  "signature",
  "tool_changes",
  "cache_control"
])

const fields = ({ block, path }: Placed): ReadonlyArray<Violation> =>
  Object.keys(block)
    .filter((field) => !own.has(field))
    .map((field) =>
      violation("compaction_block_fields", `${path}.compaction.${field}`, "Extra inputs are not permitted")
    )

const together = (request: Request): ReadonlyArray<Violation> => {
  const { edits } = fieldsOf(request.context_management)
  const threshold = Array.isArray(edits) && edits.some((edit) => String(fieldsOf(edit).type).startsWith("compact_"))
  return [
    ...(threshold ? ["context_management"] : []),
    ...(remaining(request) && !asksForCompaction(request) ? ["output_config.task_budget.remaining"] : [])
  ].map((path) => violation("compaction_combined", path, "cannot be combined with a signed `compaction` block"))
}

/** One signed block, with content, before everything else. */
const sentBack = (request: Request, signed: ReadonlyArray<Placed>): ReadonlyArray<Violation> => {
  const [block, another] = signed.filter(({ block: { content } }) => content !== null)
  if (block === undefined) return []
  const [first] = request.messages
  const isFirst = first !== undefined && first.role !== "system" && placed(first, 0)[0]?.path === block.path
  return [
    ...(another === undefined
      ? []
      : [violation("compaction_block_ambiguous", another.path, "send only the newest `compaction` block")]),
    ...(isFirst
      ? []
      : [
          violation(
            "compaction_block_misplaced",
            block.path,
            "the `compaction` block must come first in `messages`, in place of the messages it summarizes"
          )
        ]),
    ...together(request)
  ]
}

const carried = (request: Request, betas: ReadonlyArray<string> | undefined): ReadonlyArray<Violation> => {
  const blocks = request.messages.flatMap(placed).filter(({ block }) => isCompaction(block))
  const [block] = blocks
  if (block === undefined) return []
  if (betas !== undefined && !betas.includes(onDemandBeta) && !betas.includes(thresholdBeta)) {
    const text = "Input tag 'compaction' found using 'type' does not match any of the expected tags"
    return [violation("compaction_beta", block.path, text)]
  }
  const signed = blocks.filter((at) => isSigned(at.block))
  return [...blocks.flatMap(fields), ...sentBack(request, signed)]
}

/**
 * When a history can be compacted, and where the block may stand afterwards. Signatures are checked by whoever made
 * them. Without `betas` nobody asks for the header.
 */
export const compactionRules = (
  { request }: Checked,
  betas: ReadonlyArray<string> | undefined
): ReadonlyArray<Violation> => [...asked(request, betas), ...carried(request, betas)]
