import { hash, timingSafeEqual } from "node:crypto"
import { Effect, Layer, Option, Redacted } from "effect"
import { HttpServerRequest } from "effect/http"
import { Settings, type SettingsShape } from "../Settings.ts"
import { Access, AdminOnly, CurrentVisitor, type Visitor } from "./ApiAccess.ts"
import { Forbidden, Unauthorized } from "./Problem.ts"

type Request = HttpServerRequest.HttpServerRequest

const loopback = /^(?:::1|(?:::ffff:)?127\.\d+\.\d+\.\d+)$/
const loopbackName = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?$/

/** A page of another site can make a browser on this machine call us; its Host or Origin gives it away. */
const fromOtherSite = ({ headers }: Request): boolean => {
  const { host, origin } = headers
  if (host === undefined || !loopbackName.test(host)) return true
  return origin !== undefined && origin !== `http://${host}`
}

const forwarded = ({ headers }: Request): boolean =>
  headers.forwarded !== undefined || headers["x-forwarded-for"] !== undefined

/** A process of this machine: a loopback peer, not a proxy's client, not another site's page. */
export const isLocal = (request: Request): boolean =>
  Option.exists(request.peerAddress, (peer) => loopback.test(peer)) && !forwarded(request) && !fromOtherSite(request)

const digest = (token: string): Buffer => hash("sha256", token, "buffer")

/** Digests have one length, so that comparing takes the same time whatever was sent. */
const sameToken = (expected: Redacted.Redacted, given: Buffer): boolean =>
  timingSafeEqual(digest(Redacted.value(expected)), given)

const bearer = /^Bearer +(\S+) *$/i

const tokenOf = ({ headers }: Request): string | undefined =>
  bearer.exec(headers.authorization ?? "")?.[1] ?? headers["x-api-key"]

const known = (settings: SettingsShape, token: string): Visitor | undefined => {
  const given = digest(token)
  if (Option.exists(settings.adminToken, (expected) => sameToken(expected, given))) return { admin: true, tenant: null }
  let tenant: string | null = null
  for (const [name, expected] of settings.gatewayTokens) if (sameToken(expected, given)) tenant = name
  return tenant === null ? undefined : { admin: false, tenant }
}

const needsToken = () =>
  new Unauthorized({
    detail: "Send ADMIN_TOKEN or a token of GATEWAY_TOKENS as `Authorization: Bearer …` or `x-api-key`."
  })

/** Who asks. A wrong token is refused even from this machine, unless no token is configured at all. */
export const visitorOf = (settings: SettingsShape, request: Request): Effect.Effect<Visitor, Unauthorized> => {
  const token = tokenOf(request)
  const configured = Option.isSome(settings.adminToken) || settings.gatewayTokens.size > 0
  const visitor = token === undefined || !configured ? undefined : known(settings, token)
  if (visitor !== undefined) return Effect.succeed(visitor)
  if ((token === undefined || !configured) && isLocal(request)) {
    return Effect.succeed({ admin: Option.isNone(settings.adminToken), tenant: null })
  }
  return Effect.fail(needsToken())
}

const accessLayer = Layer.effect(
  Access,
  Effect.gen(function* () {
    const settings = yield* Settings
    // Both headers are read here, so that a token in either counts: the declared schemes only document them.
    const check = <A, E, R>(self: Effect.Effect<A, E, R | CurrentVisitor>) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.flatMap(visitorOf(settings, request), (visitor) => Effect.provideService(self, CurrentVisitor, visitor))
      )
    return Access.of({ bearer: check, apiKey: check })
  })
)

const mustBeAdmin = (visitor: Visitor): Effect.Effect<void, Unauthorized | Forbidden> => {
  if (visitor.admin) return Effect.void
  return visitor.tenant === null
    ? Effect.fail(new Unauthorized({ detail: "Send ADMIN_TOKEN as `Authorization: Bearer …` or `x-api-key`." }))
    : Effect.fail(new Forbidden({ detail: "A tenant's token may not do this; send ADMIN_TOKEN." }))
}

const adminLayer = Layer.succeed(AdminOnly, (self) => Effect.andThen(Effect.flatMap(CurrentVisitor, mustBeAdmin), self))

export const layer: Layer.Layer<Access | AdminOnly, never, Settings> = Layer.merge(accessLayer, adminLayer)
