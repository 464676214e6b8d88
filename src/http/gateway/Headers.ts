type Headers = Readonly<Record<string, string | Array<string> | undefined>>

/** Headers of one connection, or of a body's wrapping on it (RFC 9110, 7.6.1). */
const hopByHop = [
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "content-length"
]

/** What is between client and gateway only: credentials travel apart, answers come uncompressed. */
const stayHere: ReadonlySet<string> = new Set([
  ...hopByHop,
  "host",
  "expect",
  "accept-encoding",
  "authorization",
  "x-api-key",
  "cookie",
  "origin",
  "referer",
  "forwarded",
  "via",
  "x-real-ip"
])

const staysHere = (name: string): boolean =>
  stayHere.has(name) || name.startsWith("x-sluice-") || name.startsWith("x-forwarded-") || name.startsWith("sec-")

/** What of a request's headers goes to upstream: everything but what belongs to this connection, known or not. */
export const upstreamHeaders = (headers: Headers): Record<string, string> => {
  const kept: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined && !staysHere(name)) kept[name] = typeof value === "string" ? value : value.join(", ")
  }
  return kept
}

/** What speaks of upstream's server and site, not of its answer. */
const stayThere: ReadonlySet<string> = new Set([
  ...hopByHop,
  "content-encoding",
  "set-cookie",
  "alt-svc",
  "strict-transport-security",
  "server",
  "date"
])

/** Who may read an answer in a browser, and what a `x-sluice-` header says, is this gateway's to tell. */
const remains = (name: string): boolean =>
  stayThere.has(name) || name.startsWith("x-sluice-") || name.startsWith("access-control-")

/** What of upstream's headers goes to the client. */
export const downstream = (headers: Readonly<Record<string, string>>): Record<string, string> => {
  const kept: Record<string, string> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined && !remains(name)) kept[name] = value
  }
  return kept
}
