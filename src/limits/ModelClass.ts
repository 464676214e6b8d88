import { familyIn, plainId } from "../models/ModelId.ts"

const remembered = new Map<string, string>()
const maxRemembered = 1_000

const versionIn = (id: string): string => {
  const found = /(?:^|-)(\d)(?:-(\d{1,2}))?(?=-|$)/.exec(id)
  if (found === null) return ""
  const [, major = "", minor] = found
  return minor === undefined ? `-${major}` : `-${major}-${minor}`
}

const classify = (id: string): string => {
  const plain = plainId(id)
  const family = familyIn(plain)
  if (family === undefined) return "other"
  if (family === "fable" || family === "mythos") return family
  const version = versionIn(plain)
  const shared = version.startsWith("-4") && family !== "haiku"
  return shared ? `${family}-4` : `${family}${version}`
}

/**
 * The upstream pool of rate limits that a model belongs to (reference: Messages API, rate limits, October 2026): Fable 5.x
 * together, Mythos, Opus 4.x together, Sonnet 4.x together, every other version of its own; `other` for unknown names.
 */
export const modelClass = (id: string): string => {
  const known = remembered.get(id)
  if (known !== undefined) return known
  const found = classify(id)
  if (remembered.size >= maxRemembered) remembered.clear()
  remembered.set(id, found)
  return found
}
