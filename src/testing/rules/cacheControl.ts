import { type ContentBlock, isText, isThinking, isToolResult } from "../../domain/Message.ts"
import { type Checked, type Placed, placed, type Violation, violation } from "./Violation.ts"

const maxBreakpoints = 4

export type Ttl = "5m" | "1h"

/** The ttl of a `cache_control` value; undefined when there is none. */
export const ttlOf = (carrier: Readonly<Record<string, unknown>>): Ttl | undefined => {
  const control = carrier.cache_control
  if (typeof control !== "object" || control === null) return undefined
  return "ttl" in control && control.ttl === "1h" ? "1h" : "5m"
}

interface Breakpoint {
  readonly path: string
  readonly ttl: Ttl
  readonly carrier: Readonly<Record<string, unknown>>
}

const nested = ({ block, path }: Placed): ReadonlyArray<Placed> =>
  isToolResult(block) && typeof block.content === "object"
    ? block.content.map((inner: ContentBlock, at) => ({ block: inner, path: `${path}.tool_result.content.${at}` }))
    : []

/** Everything that may carry a breakpoint, in the order upstream processes it: tools, system, messages. */
const carriers = ({ request, system, tools }: Checked): ReadonlyArray<Omit<Breakpoint, "ttl">> => [
  ...tools.map((carrier, at) => ({ path: `tools.${at}`, carrier })),
  ...(typeof system === "string" ? [] : system.map((carrier, at) => ({ path: `system.${at}`, carrier }))),
  ...request.messages.flatMap((message, index) =>
    placed(message, index).flatMap((at) => [...nested(at), at].map(({ block, path }) => ({ path, carrier: block })))
  )
]

const badValue = ({ carrier, path }: Omit<Breakpoint, "ttl">): ReadonlyArray<Violation> => {
  const control = carrier.cache_control
  if (control === undefined || control === null) return []
  if (typeof control !== "object" || !("type" in control) || control.type !== "ephemeral") {
    return [violation("cache_ttl", `${path}.cache_control.type`, "Input should be 'ephemeral'")]
  }
  return "ttl" in control && control.ttl !== "5m" && control.ttl !== "1h" && control.ttl !== undefined
    ? [violation("cache_ttl", `${path}.cache_control.ephemeral.ttl`, "Input should be '5m' or '1h'")]
    : []
}

const misplaced = ({ carrier, path }: Breakpoint): ReadonlyArray<Violation> => {
  if (typeof carrier.type !== "string") return []
  const block: ContentBlock = { ...carrier, type: carrier.type }
  if (isThinking(block)) {
    return [violation("cache_misplaced", `${path}.${block.type}.cache_control`, "Extra inputs are not permitted")]
  }
  return isText(block) && block.text === ""
    ? [violation("cache_misplaced", `${path}.text`, "cache_control cannot be set for empty text blocks")]
    : []
}

const order = (breakpoints: ReadonlyArray<Breakpoint>): ReadonlyArray<Violation> => {
  const firstShort = breakpoints.findIndex((at) => at.ttl === "5m")
  const late = firstShort < 0 ? undefined : breakpoints.slice(firstShort).find((at) => at.ttl === "1h")
  return late === undefined
    ? []
    : [
        violation(
          "cache_order",
          `${late.path}.cache_control.ttl`,
          "a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note that blocks are processed in the following order: `tools`, `system`, `messages`."
        )
      ]
}

/** The automatic breakpoint takes a slot of its own and stands at the last block. */
const automatic = (
  request: Checked["request"],
  all: ReadonlyArray<Omit<Breakpoint, "ttl">>
): ReadonlyArray<Breakpoint> => {
  const ttl = ttlOf(request)
  return ttl === undefined ? [] : [{ path: all.at(-1)?.path ?? "messages", ttl, carrier: {} }]
}

const conflict = (
  auto: Breakpoint | undefined,
  last: Omit<Breakpoint, "ttl"> | undefined
): ReadonlyArray<Violation> => {
  const explicit = last === undefined ? undefined : ttlOf(last.carrier)
  if (auto === undefined || explicit === undefined || explicit === auto.ttl) return []
  const text = `the last block already has a cache_control with ttl='${explicit}', which differs from the top-level ttl='${auto.ttl}'`
  return [violation("cache_ttl", "cache_control", text)]
}

/** At most four breakpoints, 1h before 5m, none on thinking or empty text. */
export const cacheControlRules = (checked: Checked): ReadonlyArray<Violation> => {
  const all = carriers(checked)
  const explicit = all.flatMap((at) => {
    const ttl = ttlOf(at.carrier)
    return ttl === undefined ? [] : [{ ...at, ttl }]
  })
  const auto = automatic(checked.request, all)
  const count = explicit.length + auto.length
  return [
    ...all.flatMap(badValue),
    ...explicit.flatMap(misplaced),
    ...(count > maxBreakpoints
      ? [
          {
            rule: "cache_breakpoints" as const,
            path: "cache_control",
            message: `A maximum of ${maxBreakpoints} blocks with cache_control may be provided. Found ${count}.`
          }
        ]
      : []),
    ...order([...explicit, ...auto]),
    ...conflict(auto[0], all.at(-1))
  ]
}
