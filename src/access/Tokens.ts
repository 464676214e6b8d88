import { Clock, Context, Effect, Layer, Option, Redacted } from "effect"
import type { SqlClient } from "effect/sql"
import { fromUsd } from "../domain/Money.ts"
import { Settings, type SettingsShape } from "../Settings.ts"
import { digestOf, freshToken, isSameDigest } from "./Digest.ts"
import { FailedAttempts } from "./FailedAttempts.ts"
import { type Grant, type NewToken, TokenExists, type TokensUnavailable, TooManyAttempts } from "./Grant.ts"
import { Tenants } from "./Tenants.ts"
import { type Entry, makeMemoryStore, makeSqlStore, type TokenStore } from "./TokenStore.ts"

export { claimed, Grant, NewToken, TokenExists, TokenName, TokensUnavailable, TooManyAttempts } from "./Grant.ts"
export { Tenants } from "./Tenants.ts"

/** Whose token it is: the operator's, or a tenant's. */
export type Bearer = "admin" | Grant

/** How soon a token that another process made or revoked is noticed. */
const refreshEvery = "10 seconds"

const equalShare = 1

const ofEnvironment = (settings: SettingsShape): ReadonlyArray<Entry> =>
  [...settings.gatewayTokens].map(([name, token]) => ({
    digest: digestOf(Redacted.value(token)),
    grant: {
      name,
      agent: null,
      priority: null,
      dailyBudgetNanoUsd: null,
      share: equalShare,
      source: "environment",
      createdAt: null
    }
  }))

const byDigest = (entries: ReadonlyArray<Entry>) => new Map(entries.map((entry) => [entry.digest, entry]))
const byName = (entries: ReadonlyArray<Entry>) => new Map(entries.map(({ grant }) => [grant.name, grant]))

const grantOf = (request: NewToken, createdAt: number): Grant => ({
  name: request.name,
  agent: request.agent ?? null,
  priority: request.priority ?? null,
  dailyBudgetNanoUsd: request.dailyBudgetUsd === undefined ? null : fromUsd(request.dailyBudgetUsd),
  share: request.share ?? equalShare,
  source: "database",
  createdAt
})

const make = Effect.fnUntraced(function* (store: TokenStore) {
  const settings = yield* Settings
  const fixed = ofEnvironment(settings)
  const admin = Option.map(settings.adminToken, (token) => digestOf(Redacted.value(token)))
  const attempts = new FailedAttempts()
  let grants = byDigest(fixed)
  let tenants = byName(fixed)

  const load = Effect.map(store.all, (stored) => {
    // What the environment says wins over a stored token of the same name.
    const all = [...stored.filter(({ grant }) => !settings.gatewayTokens.has(grant.name)), ...fixed]
    grants = byDigest(all)
    tenants = byName(all)
  })

  yield* load
  yield* Effect.sleep(refreshEvery).pipe(
    Effect.andThen(load),
    Effect.catch((error) => Effect.logWarning(error.message)),
    Effect.forever,
    Effect.forkScoped
  )

  const bearerOf = (digest: string): Bearer | undefined => {
    if (Option.exists(admin, (expected) => isSameDigest(expected, digest))) return "admin"
    const entry = grants.get(digest)
    return entry !== undefined && isSameDigest(entry.digest, digest) ? entry.grant : undefined
  }

  const present = Effect.fnUntraced(function* (token: string, client: string) {
    const digest = digestOf(token)
    const now = yield* Clock.currentTimeMillis
    const wait = attempts.wait(client, digest, now)
    if (wait > 0) return yield* new TooManyAttempts({ retryAfterMillis: wait })
    const bearer = bearerOf(digest)
    if (bearer !== undefined) attempts.succeeded(client, digest)
    return bearer
  })

  const add = Effect.fnUntraced(function* (request: NewToken) {
    const token = freshToken()
    const grant = grantOf(request, yield* Clock.currentTimeMillis)
    const isNew = !settings.gatewayTokens.has(grant.name) && (yield* store.insert({ digest: digestOf(token), grant }))
    if (!isNew) return yield* new TokenExists({ name: grant.name })
    yield* load
    return { grant, token: Redacted.make(token) }
  })

  const tokens = Tokens.of({
    isEmpty: Effect.sync(() => grants.size === 0),
    present,
    failed: (client) => Effect.map(Clock.currentTimeMillis, (now) => attempts.failed(client, now)),
    list: Effect.map(load, () => [...tenants.values()].sort((a, b) => (a.name < b.name ? -1 : 1))),
    add,
    revoke: (name) => Effect.tap(store.remove(name), () => load)
  })
  const shared = {
    share: (tenant: string) => tenants.get(tenant)?.share ?? equalShare,
    dailyBudget: (tenant: string) => tenants.get(tenant)?.dailyBudgetNanoUsd ?? null
  }
  return Context.make(Tokens, tokens).pipe(Context.add(Tenants, shared))
})

/** Who may come in: ADMIN_TOKEN, and for the gateway tokens of GATEWAY_TOKENS and of the database. Kept as digests, compared in constant time. */
export class Tokens extends Context.Service<
  Tokens,
  {
    /** No tenant has a token: the gateway is open to processes of this machine, and to nobody else. */
    readonly isEmpty: Effect.Effect<boolean>
    /** Whose token it is; undefined when it is none of ours. Fails while its client has presented too many wrong ones. */
    readonly present: (token: string, client: string) => Effect.Effect<Bearer | undefined, TooManyAttempts>
    /** A client presented a token that is wrong. */
    readonly failed: (client: string) => Effect.Effect<void>
    readonly list: Effect.Effect<ReadonlyArray<Grant>, TokensUnavailable>
    /** Makes a token. It is shown here and never again. */
    readonly add: (
      request: NewToken
    ) => Effect.Effect<{ readonly grant: Grant; readonly token: Redacted.Redacted }, TokenExists | TokensUnavailable>
    /** Ends a stored token at once; answers false when there is none of that name. */
    readonly revoke: (name: string) => Effect.Effect<boolean, TokensUnavailable>
  }
>()("sluice/access/Tokens") {
  /** In the database. Also tells the limiter and the budgets about tenants. */
  static readonly layer: Layer.Layer<Tokens, TokensUnavailable, Settings | SqlClient.SqlClient> = Layer.effectContext(
    Effect.flatMap(makeSqlStore, make)
  )

  /** In this process only: for tests, and for embedding. */
  static readonly layerMemory: Layer.Layer<Tokens, TokensUnavailable, Settings> = Layer.effectContext(
    Effect.suspend(() => make(makeMemoryStore()))
  )
}
