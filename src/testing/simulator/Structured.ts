import type { MessagesRequest } from "../../domain/MessagesRequest.ts"

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (u: unknown): Fields =>
  typeof u === "object" && u !== null && !Array.isArray(u) ? Object.fromEntries(Object.entries(u)) : {}

/** The JSON schema that the answer must follow (`output_config.format`), where one is asked for. */
export const askedSchema = ({ output_config: config }: MessagesRequest): Fields | undefined => {
  const format = fieldsOf(fieldsOf(config).format)
  return format.type === "json_schema" ? fieldsOf(format.schema) : undefined
}

/** Which lines of a text a field is about, told from its name; every line where the name says nothing. */
const topics: ReadonlyArray<readonly [RegExp, RegExp]> = [
  [/intent|request|goal/i, /\b(?:please|fix|add|make|look|check|write|can you|want|need|should)\b/i],
  [/constraint|rule/i, /\b(?:never|always|must|only|don'?t|do not)\b/i],
  [/decision/i, /\b(?:decid|because|instead of|root cause|chose|go with)\w*/i],
  [/agent/i, /^\[calls (?:Task|Agent|create_agent|command_agent)\]|\bagent\b/i],
  [/outcome|result/i, /\d|\b(?:done|created|committed|passed|failed|fixed)\b/i],
  [/question|open/i, /\?\s*$/]
]

const most = 6
const lineChars = 160

const linesFor = (name: string, lines: ReadonlyArray<string>): ReadonlyArray<string> => {
  const topic = topics.find(([field]) => field.test(name))
  return lines.filter((line) => topic?.[1].test(line) ?? true).slice(0, most)
}

const valueFor = (name: string, schema: Fields, lines: ReadonlyArray<string>): unknown => {
  if (Array.isArray(schema.enum)) return schema.enum[0]
  switch (schema.type) {
    case "object":
      return objectOf(schema, lines)
    case "array": {
      const items = fieldsOf(schema.items)
      return items.type === "string" ? linesFor(name, lines) : [valueFor(name, items, lines)]
    }
    case "number":
    case "integer":
      return 0
    case "boolean":
      return false
    default:
      return linesFor(name, lines)[0] ?? ""
  }
}

const objectOf = (schema: Fields, lines: ReadonlyArray<string>): Fields =>
  Object.fromEntries(
    Object.entries(fieldsOf(schema.properties)).map(([name, field]) => [name, valueFor(name, fieldsOf(field), lines)])
  )

/** An answer that follows the schema, its strings lines of the text: nothing in it that was not said. */
export const structured = (schema: Fields, text: string): string => {
  const lines = text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.length > 12 && !line.startsWith("#") && !line.startsWith("<"))
    .map((line) => line.slice(0, lineChars).toWellFormed())
  return JSON.stringify(objectOf(schema, lines))
}
