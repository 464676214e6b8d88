import type { IncomingHttpHeaders } from "node:http"
import { Effect, Option, Redacted } from "effect"
import type { HttpServerRequest } from "effect/http"
import { digestOf, tokenPrefix } from "../../access/Digest.ts"
import type { Grant, Tokens, TooManyAttempts } from "../../access/Tokens.ts"
import type { Forward } from "../../claude/ClaudeService.ts"
import { serverOwner } from "../../context/StatelessContexts.ts"
import { isLocal } from "../Access.ts"
import { type Refusal, refusal } from "./Failure.ts"

/** On whose behalf a request goes upstream, and with whose key. */
export interface Credentials {
  /** What a gateway token grants; undefined for a client that brings its own key, and for this machine's processes. */
  readonly grant: Grant | undefined
  /** The client's own key; undefined: the server's is used. */
  readonly apiKey: Redacted.Redacted | undefined
  readonly scheme: Forward["scheme"]
  /** Answers are shared only between requests of the same owner: two keys may be two payers. */
  readonly owner: string
}

interface Presented {
  readonly secret: string
  readonly scheme: Forward["scheme"]
}

const bearer = /^Bearer +(\S+) *$/i

/** What the client shows, in both places where clients put it. */
const presented = (headers: IncomingHttpHeaders): ReadonlyArray<Presented> => {
  const found: Array<Presented> = []
  const key = headers["x-api-key"]
  if (typeof key === "string" && key !== "") found.push({ secret: key, scheme: "x-api-key" })
  const { authorization } = headers
  const token = authorization === undefined ? undefined : bearer.exec(authorization)?.[1]
  if (token !== undefined && token !== found[0]?.secret) found.push({ secret: token, scheme: "bearer" })
  return found
}

/** Keys and subscription tokens of the API begin with this; nothing else is ever sent there once tokens exist. */
const upstreamPrefix = "sk-ant-"

const unauthorized = (message: string): Refusal => refusal(401, "authentication_error", message)

const noCredentials = unauthorized(
  "Send a gateway token, or your own API key, as `x-api-key` or `Authorization: Bearer …`."
)
const wrongToken = unauthorized("invalid x-api-key: this is no token of this gateway, or one that was revoked.")

const ofGrant = (grant: Grant): Credentials => ({ grant, apiKey: undefined, scheme: "x-api-key", owner: serverOwner })

/** Answers are shared in one scope: of one owner, for one version of the API. */
export const scopeFor = (owner: string, version: string | ReadonlyArray<string> = ""): string => `${owner} ${version}`

/** The scope of clients that send no key of their own. */
export const serverScope = (version: string): string => scopeFor(serverOwner, version)

const ofServer: Credentials = { grant: undefined, apiKey: undefined, scheme: "x-api-key", owner: serverOwner }

const ofClient = ({ scheme, secret }: Presented): Credentials => ({
  grant: undefined,
  apiKey: Redacted.make(secret, { label: "the client's key" }),
  scheme,
  owner: digestOf(secret)
})

/** Decides who asks. A token of this gateway never leaves it, not even one that was revoked. */
export const makeCredentials = (tokens: Tokens["Service"]) => {
  const grantFor = Effect.fnUntraced(function* (shown: ReadonlyArray<Presented>, client: string) {
    for (const { secret } of shown) {
      const bearer = yield* tokens.present(secret, client)
      if (bearer !== undefined) return bearer === "admin" ? ofServer : ofGrant(bearer)
    }
    return undefined
  })

  return Effect.fnUntraced(function* (
    request: HttpServerRequest.HttpServerRequest,
    headers: IncomingHttpHeaders
  ): Effect.fn.Return<Credentials, Refusal | TooManyAttempts> {
    const shown = presented(headers)
    const isOpen = yield* tokens.isEmpty
    const client = Option.getOrElse(request.peerAddress, () => "")
    const [first] = shown
    if (first === undefined) return isOpen && isLocal(request) ? ofServer : yield* Effect.fail(noCredentials)
    const known = yield* grantFor(shown, client)
    if (known !== undefined) return known
    const own = shown.find(({ secret }) => secret.startsWith(upstreamPrefix))
    if (own !== undefined) return ofClient(own)
    if (isOpen && !shown.some(({ secret }) => secret.startsWith(tokenPrefix))) return ofClient(first)
    yield* tokens.failed(client)
    return yield* Effect.fail(wrongToken)
  })
}
