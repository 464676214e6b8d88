import { type Checked, type Violation, violation } from "./Violation.ts"

const pattern = /^[a-zA-Z0-9_-]{1,128}$/

const names = (tools: Checked["tools"]): ReadonlyArray<Violation> => {
  const seen = new Set<string>()
  return tools.flatMap(({ name }, index) => {
    // A toolset (mcp, computer) has no name of its own.
    if (name === undefined) return []
    if (!pattern.test(name)) {
      const text = "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
      return [violation("tool_name_pattern", `tools.${index}.custom.name`, text)]
    }
    if (seen.has(name)) return [violation("tool_name_unique", "tools", "Tool names must be unique.")]
    seen.add(name)
    return []
  })
}

const choice = ({ request, tools }: Checked): ReadonlyArray<Violation> => {
  const wanted = request.tool_choice
  if (typeof wanted !== "object" || wanted === null || !("type" in wanted)) return []
  if (tools.length === 0 && wanted.type !== "none") {
    return [violation("tool_choice", "tool_choice", "tool_choice may only be specified while providing tools.")]
  }
  if (wanted.type !== "tool" || !("name" in wanted)) return []
  return tools.some((tool) => tool.name === wanted.name)
    ? []
    : [violation("tool_choice", "tool_choice", `Tool '${String(wanted.name)}' not found in provided tools`)]
}

/** Names of the offered tools, and a choice among them. */
export const toolRules = (checked: Checked): ReadonlyArray<Violation> => [...names(checked.tools), ...choice(checked)]
