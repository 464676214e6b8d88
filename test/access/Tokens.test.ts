import { assert, describe, it, layer } from "@effect/vitest"
import { Effect, Layer, Option, Redacted } from "effect"
import { SqlClient } from "effect/sql"
import { TestClock } from "effect/testing"
import { digestOf } from "../../src/access/Digest.ts"
import { Tenants, TokenExists, Tokens, TooManyAttempts } from "../../src/access/Tokens.ts"
import { Database } from "../../src/chat/Database.ts"
import { nanoUsd } from "../../src/domain/Money.ts"
import { Settings } from "../../src/Settings.ts"

const settings = Settings.layerWith({
  adminToken: Option.some(Redacted.make("the-operators")),
  gatewayTokens: new Map([["fixed", Redacted.make("from-the-environment")]])
})
const memory = Tokens.layerMemory.pipe(Layer.provide(settings))
const none = Tokens.layerMemory.pipe(Layer.provide(Settings.layerWith({})))

describe("gateway tokens", () => {
  it.effect("are shown once, and open the door until they are revoked", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens
      assert.isTrue(yield* tokens.isEmpty)
      const { grant, token } = yield* tokens.add({
        name: "acme",
        agent: "planner",
        priority: "background",
        dailyBudgetUsd: 2.5,
        share: 3
      })
      assert.isFalse(yield* tokens.isEmpty)
      assert.match(Redacted.value(token), /^sluice_[\w-]{43}$/)
      assert.deepStrictEqual(yield* tokens.present(Redacted.value(token), "c"), grant)
      assert.strictEqual(grant.dailyBudgetNanoUsd, nanoUsd(2_500_000_000))
      assert.notInclude(JSON.stringify(yield* tokens.list), Redacted.value(token))
      assert.isTrue(yield* tokens.revoke("acme"))
      assert.isFalse(yield* tokens.revoke("acme"))
      assert.isUndefined(yield* tokens.present(Redacted.value(token), "c"))
    }).pipe(Effect.provide(none))
  )

  it.effect("have one name each, also against the environment's", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens
      yield* tokens.add({ name: "acme" })
      for (const name of ["acme", "fixed"]) {
        const error = yield* Effect.flip(tokens.add({ name }))
        assert.instanceOf(error, TokenExists)
        assert.include(error.message, name)
      }
    }).pipe(Effect.provide(memory))
  )

  it.effect("of the environment are known without a database, and cannot be revoked", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens
      const grant = yield* tokens.present("from-the-environment", "c")
      assert.deepInclude(grant, { name: "fixed", source: "environment" })
      assert.isFalse(yield* tokens.revoke("fixed"))
    }).pipe(Effect.provide(memory))
  )

  it.effect("of the operator is no tenant's", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* (yield* Tokens).present("the-operators", "c"), "admin")
    }).pipe(Effect.provide(memory))
  )

  it.effect("tell the limiter and the budgets what a tenant may take", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens
      const tenants = yield* Tenants
      yield* tokens.add({ name: "acme", dailyBudgetUsd: 1, share: 0.5 })
      assert.strictEqual(tenants.share("acme"), 0.5)
      assert.strictEqual(tenants.dailyBudget("acme"), nanoUsd(1_000_000_000))
      assert.strictEqual(tenants.share("fixed"), 1)
      assert.strictEqual(tenants.share("nobody"), 1)
      assert.isNull(tenants.dailyBudget("nobody"))
    }).pipe(Effect.provide(memory))
  )
})

const guess = (client: string, token = "wrong") =>
  Effect.gen(function* () {
    const tokens = yield* Tokens
    const grant = yield* tokens.present(token, client)
    if (grant === undefined) yield* tokens.failed(client)
    return grant
  })

describe("wrong tokens", () => {
  it.effect("are refused without looking after ten in a minute, from that client only", () =>
    Effect.gen(function* () {
      yield* Effect.repeat(guess("thief"), { times: 9 })
      const error = yield* Effect.flip(guess("thief", "from-the-environment"))
      assert.instanceOf(error, TooManyAttempts)
      assert.strictEqual(error.retryAfterMillis, 60_000)
      assert.isDefined(yield* guess("neighbour", "from-the-environment"))
      yield* TestClock.adjust("1 minute")
      assert.isDefined(yield* guess("thief", "from-the-environment"))
    }).pipe(Effect.provide(memory))
  )

  it.effect("do not lock out what has been right from the same address", () =>
    Effect.gen(function* () {
      assert.isDefined(yield* guess("shared", "from-the-environment"))
      yield* Effect.repeat(guess("shared"), { times: 9 })
      assert.isDefined(yield* guess("shared", "from-the-environment"))
      assert.instanceOf(yield* Effect.flip(guess("shared", "another")), TooManyAttempts)
    }).pipe(Effect.provide(memory))
  )
})

const database = Tokens.layer.pipe(Layer.provideMerge(Database.layerMemory), Layer.provide(settings))

layer(database)("in the database", (it) => {
  it.effect("only the digest is kept", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens
      const sql = yield* SqlClient.SqlClient
      const { grant, token } = yield* tokens.add({ name: "kept", priority: "interactive", dailyBudgetUsd: 0.1 })
      const [row] = yield* sql`SELECT * FROM tokens WHERE name = 'kept'`
      assert.strictEqual(row?.digest, digestOf(Redacted.value(token)))
      assert.notInclude(
        JSON.stringify(row, (_, value) => String(value)),
        Redacted.value(token)
      )
      assert.deepStrictEqual(
        (yield* tokens.list).find(({ name }) => name === "kept"),
        grant
      )
      assert.isTrue(yield* tokens.revoke("kept"))
      assert.lengthOf(yield* sql`SELECT name FROM tokens WHERE name = 'kept'`, 0)
    })
  )

  it.effect("a token that another process makes or revokes is noticed", () =>
    Effect.gen(function* () {
      const tokens = yield* Tokens
      const sql = yield* SqlClient.SqlClient
      const digest = digestOf("elsewhere")
      yield* sql`INSERT INTO tokens (name, digest, share, created) VALUES ('other', ${digest}, 1, 0)`
      assert.isUndefined(yield* tokens.present("elsewhere", "c"))
      yield* tokens.list
      assert.isDefined(yield* tokens.present("elsewhere", "c"))
    })
  )
})
