import { assert, describe, it } from "@effect/vitest"
import { type Arrival, between, jain, limit, minute, quantile, random, simulate, total } from "./support.ts"

const tenMinutes = 10 * minute
const perMilli = limit / minute

const flood = (seed: number, most: number, of: Partial<Arrival> = {}): ReadonlyArray<Arrival> => {
  const next = random(seed)
  const arrivals: Array<Arrival> = []
  for (let sum = 0; sum < 1.5 * limit * 10; ) {
    const tokens = between(next, 1, most)
    arrivals.push({ at: 0, tokens, tenant: "flood", agent: `a${arrivals.length % 5}`, ...of })
    sum += tokens
  }
  return arrivals
}

const every = (millis: number, of: Omit<Arrival, "at">, from = 0): ReadonlyArray<Arrival> =>
  Array.from({ length: Math.floor((tenMinutes - from) / millis) }, (_, n) => ({ at: from + n * millis, ...of }))

describe("fair sharing", () => {
  it("gives equal tenants equal tokens, however unequal their requests (Jain's index ≥ 0.95)", () => {
    const sizes = [500, 2_000, 8_000, 20_000, 40_000]
    const arrivals = sizes.flatMap((tokens, tenant) =>
      Array.from({ length: (4 * limit) / tokens }, () => ({ at: 0, tokens, tenant: `t${tenant}` }))
    )
    const { log } = simulate(arrivals, tenMinutes)
    for (const until of [minute, 3 * minute, tenMinutes]) {
      const shares = sizes.map((_, tenant) =>
        total(log.filter((one) => one.at < until && one.arrival.tenant === `t${tenant}`))
      )
      assert.isAtLeast(jain(shares), 0.95, `${shares} until ${until}`)
    }
  })

  it("gives a tenant with twice the weight twice the tokens", () => {
    const arrivals = [...flood(1, 10_000, { tenant: "one" }), ...flood(2, 10_000, { tenant: "two" })]
    const { log } = simulate(arrivals, tenMinutes, { weight: (tenant) => (tenant === "two" ? 2 : 1) })
    const of = (tenant: string) => total(log.filter((one) => one.arrival.tenant === tenant))
    assert.approximately(of("two") / of("one"), 2, 0.1)
  })

  it("shares between the agents of a tenant in the same way", () => {
    const arrivals = [...flood(1, 2_000, { agent: "small" }), ...flood(2, 20_000, { agent: "large" })]
    const { log } = simulate(arrivals, tenMinutes)
    assert.isAtLeast(
      jain(["small", "large"].map((agent) => total(log.filter((one) => one.arrival.agent === agent)))),
      0.99
    )
  })

  it("serves a light tenant under a flood within twice its fair share (p99), from the first minute on", () => {
    for (const [most, tokens, gap] of [
      [5_000, 5_000, 5_000],
      [20_000, 10_000, 5_000],
      [20_000, 20_000, 10_000]
    ] as const) {
      const light = every(gap, { tokens, tenant: "light" }, 700)
      const { log } = simulate([...flood(most, most), ...light], tenMinutes)
      const waits = log.filter((one) => one.arrival.tenant === "light").map(({ wait }) => wait)
      const fairShare = tokens / (perMilli / 2)
      assert.strictEqual(waits.length, light.length)
      assert.isAtMost(quantile(waits, 0.99), 2 * fairShare, `flood of ${most}, light of ${tokens}`)
    }
  })

  it("lets a person pass a flood of background work", () => {
    const { log } = simulate(
      [
        ...flood(1, 20_000, { priority: "background" }),
        ...every(7_000, { tokens: 10_000, priority: "interactive" }, 300)
      ],
      tenMinutes
    )
    const waits = log.filter((one) => one.arrival.priority === "interactive").map(({ wait }) => wait)
    assert.isAtMost(quantile(waits, 0.99), 5_000)
  })

  it("admits each agent's requests in the order in which they came", () => {
    const next = random(11)
    const arrivals = Array.from({ length: 4_000 }, () => ({
      at: between(next, 0, 5 * minute),
      tokens: between(next, 1, 2_000),
      tenant: `t${between(next, 0, 3)}`,
      agent: `a${between(next, 0, 3)}`
    })).sort((a, b) => a.at - b.at)
    const { log } = simulate(arrivals, 60 * minute)
    assert.strictEqual(log.length, arrivals.length)
    const number = new Map<Arrival, number>(arrivals.map((arrival, n) => [arrival, n]))
    const last = new Map<string, number>()
    for (const { arrival } of log) {
      const who = `${arrival.tenant}/${arrival.agent}`
      assert.isAbove(number.get(arrival) ?? -1, last.get(who) ?? -1)
      last.set(who, number.get(arrival) ?? -1)
    }
  })
})

describe("nothing starves", () => {
  const share = (log: ReturnType<typeof simulate>["log"], priority: string) =>
    total(log.filter((one) => one.arrival.priority === priority)) / total(log)

  it("under a flood of higher priority, which keeps most of the limit", () => {
    const arrivals = (["interactive", "normal", "background"] as const).flatMap((priority, n) =>
      flood(n, 10_000, { priority, tenant: priority })
    )
    const { log } = simulate(arrivals, tenMinutes)
    assert.isAtLeast(share(log, "interactive"), 0.65)
    assert.isAtLeast(share(log, "normal"), 0.12)
    assert.isAtLeast(share(log, "background"), 0.06)
  })

  it("not even one background request among a flood of others", () => {
    const { log } = simulate(
      [...flood(1, 5_000, { priority: "interactive" }), { at: 0, tokens: 20_000, priority: "background" }],
      tenMinutes
    )
    const background = log.find((one) => one.arrival.priority === "background")
    assert.isAtMost(background?.wait ?? Number.POSITIVE_INFINITY, 3 * minute)
  })

  it("not even a request of the size of the limit among a flood of small ones", () => {
    const { log } = simulate([...flood(1, 2_000), { at: 1_000, tokens: limit, tenant: "large" }], tenMinutes)
    const large = log.find((one) => one.arrival.tenant === "large")
    assert.isAtMost(large?.wait ?? Number.POSITIVE_INFINITY, 2 * minute)
  })
})

describe("model classes", () => {
  it("do not hold each other up when upstream pauses one", () => {
    const { admission } = simulate([], 0)
    const caller = { tenant: "t", agent: "a", priority: "normal" } as const
    const ask = (model: string) => admission.enqueue(1, { model, caller, inputTokens: 100, outputTokens: 0 })
    admission.observe(0, "claude-opus-5-5", { status: 429, headers: { "retry-after": "30" }, epochMillis: 0 })
    ask("claude-opus-5-5")
    const sonnet = ask("claude-sonnet-5-5")
    assert.strictEqual(admission.next(1), sonnet)
    if (!("reason" in sonnet)) admission.admit(1, sonnet)
    assert.isUndefined(admission.next(1))
    assert.strictEqual(admission.wakeAt, 30_000)
    assert.strictEqual(admission.next(30_000)?.model, "claude-opus-5-5")
  })
})
