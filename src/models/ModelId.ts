const families: ReadonlyArray<string> = ["fable", "mythos", "opus", "sonnet", "haiku"]

/** The family named in an id ("claude-opus-9" → "opus"), if any. */
export const familyIn = (id: string): string | undefined => {
  const words = id.toLowerCase().split(/[^a-z]+/)
  return families.find((family) => words.includes(family))
}

/** An id without its snapshot date: "claude-opus-4-6-20260205" → "claude-opus-4-6". */
export const withoutDate = (id: string): string => id.replace(/-\d{8}$/, "")

/**
 * An id without what platforms and clients put around it: Bedrock (`us.anthropic.…-v1:0`, ARNs), Vertex (`…@20250929`),
 * routers (`anthropic/claude-sonnet-4.5`), Claude Code (`[1m]`, `-fast`).
 */
export const plainId = (id: string): string => {
  const bare = id
    .trim()
    .toLowerCase()
    .replace(/^.*\//, "")
    .replace(/\[[a-z0-9]*\]$/, "")
  const [name = "", version = ""] = bare.split("@")
  const plain = name
    .replace(/^(?:[a-z]{2,6}(?:-gov)?\.)?(?:anthropic\.)?/, "")
    .replace(/(?::\d+k?){1,2}$/, "")
    .replace(/-v\d+$/, "")
    .replace(/-fast$/, "")
    .replace(/(\d)\.(?=\d)/g, "$1-")
  return /^\d{8}$/.test(version) ? `${plain}-${version}` : plain
}

/** The names an id may be known by, most specific first. */
export const candidates = (id: string): ReadonlyArray<string> => {
  const plain = plainId(id)
  const bare = plain.replace(/-latest$/, "")
  return [id.trim().toLowerCase(), plain, bare, withoutDate(bare)]
}
