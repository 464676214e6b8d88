import { Effect, type Exit, Layer, Option } from "effect"
import { HttpServerRequest } from "effect/http"
import { Tokens } from "../access/Tokens.ts"
import { Settings, type SettingsShape } from "../Settings.ts"
import { Access, AdminOnly, CurrentVisitor, PromptReaders, type Visitor } from "./ApiAccess.ts"
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

/** Browsers let any page open a WebSocket, or send a simple request, to anywhere, and say where the page is from. */
export const fromHere = ({ headers: { host, origin } }: Request): boolean =>
  origin === undefined || (URL.canParse(origin) && new URL(origin).host === host)

const forwarded = ({ headers }: Request): boolean =>
  headers.forwarded !== undefined || headers["x-forwarded-for"] !== undefined

/** A process of this machine: a loopback peer, not a proxy's client, not another site's page. */
export const isLocal = (request: Request): boolean =>
  Option.exists(request.peerAddress, (peer) => loopback.test(peer)) && !forwarded(request) && !fromOtherSite(request)

const bearer = /^Bearer +(\S+) *$/i

const tokenOf = ({ headers }: Request): string | undefined =>
  bearer.exec(headers.authorization ?? "")?.[1] ?? headers["x-api-key"]

const needsToken = () =>
  new Unauthorized({
    detail: "Send ADMIN_TOKEN or a gateway token as `Authorization: Bearer …` or `x-api-key`."
  })

const local = ({ adminToken }: SettingsShape, readsPrompts: boolean): Visitor => ({
  admin: Option.isNone(adminToken),
  tenant: null,
  grant: null,
  readsPrompts
})

/** Who shows this token. A wrong one is counted against its client, who has to wait after too many. */
const bearerVisitor = Effect.fnUntraced(function* (tokens: Tokens["Service"], token: string, client: string) {
  const shown = yield* tokens
    .present(token, client)
    .pipe(Effect.catchTag("TooManyAttempts", ({ message }) => new Unauthorized({ detail: message })))
  if (shown !== undefined) {
    const grant = shown === "admin" ? null : shown
    return { admin: grant === null, tenant: grant?.name ?? null, grant, readsPrompts: true }
  }
  yield* tokens.failed(client)
  return yield* Effect.fail(needsToken())
})

/** Who asks. A wrong token is refused even from this machine, unless no token is configured at all. */
export const visitorOf = Effect.fnUntraced(function* (
  settings: SettingsShape,
  tokens: Tokens["Service"],
  request: Request
): Effect.fn.Return<Visitor, Unauthorized> {
  const token = tokenOf(request)
  const configured = Option.isSome(settings.adminToken) || !(yield* tokens.isEmpty)
  if (token !== undefined && configured) {
    const client = Option.getOrElse(request.peerAddress, () => "")
    return yield* bearerVisitor(tokens, token, client)
  }
  return isLocal(request) ? local(settings, !configured) : yield* Effect.fail(needsToken())
})

const accessLayer = Layer.effect(
  Access,
  Effect.gen(function* () {
    const [settings, tokens] = [yield* Settings, yield* Tokens]
    const known = new WeakMap<object, Exit.Exit<Visitor, Unauthorized>>()
    /** Found out once a request, though both schemes ask: a wrong token is one wrong token. */
    const visitor = Effect.fnUntraced(function* (request: Request) {
      const exit = known.get(request.source) ?? (yield* Effect.exit(visitorOf(settings, tokens, request)))
      known.set(request.source, exit)
      return yield* exit
    })
    // Both headers are read here, so that a token in either counts: the declared schemes only document them.
    const check = <A, E, R>(self: Effect.Effect<A, E, R | CurrentVisitor>) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
        Effect.flatMap(visitor(request), (found) => Effect.provideService(self, CurrentVisitor, found))
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

const mustReadPrompts = ({ readsPrompts }: Visitor): Effect.Effect<void, Unauthorized> =>
  readsPrompts ? Effect.void : Effect.fail(needsToken())

const promptsLayer = Layer.succeed(PromptReaders, (self) =>
  Effect.andThen(Effect.flatMap(CurrentVisitor, mustReadPrompts), self)
)

export const layer: Layer.Layer<Access | AdminOnly | PromptReaders, never, Settings | Tokens> = Layer.mergeAll(
  accessLayer,
  adminLayer,
  promptsLayer
)
