import { assert, describe, it } from "@effect/vitest"
import { type Arrival, between, limit, minute, random, simulate, total, worstWindow } from "./support.ts"

const tenMinutes = 10 * minute

/** Random arrivals: lone ones and bursts, unequal tenants, settled lower or never, some given up. */
const traffic = (seed: number, most: number): ReadonlyArray<Arrival> => {
  const next = random(seed)
  const arrivals: Array<Arrival> = []
  for (let at = 0; at < tenMinutes; at += between(next, 0, 4_000)) {
    const burst = next() < 0.1 ? between(next, 5, 60) : 1
    for (let n = 0; n < burst; n++) {
      const tokens = between(next, 0, most)
      const after = between(next, 100, 90_000)
      arrivals.push({
        at,
        tokens,
        tenant: `t${between(next, 0, 4)}`,
        agent: `a${between(next, 0, 3)}`,
        priority: next() < 0.2 ? "interactive" : next() < 0.5 ? "normal" : "background",
        ...(next() < 0.7 ? { actual: { tokens: Math.floor(tokens * next()), after } } : {}),
        ...(next() < 0.2 ? { gone: between(next, 0, 60_000) } : {})
      })
    }
  }
  return arrivals
}

/** A queue that is never empty, of requests up to `most` tokens, in several agents. */
const backlog = (seed: number, most: number, tenants = 1): ReadonlyArray<Arrival> => {
  const next = random(seed)
  const arrivals: Array<Arrival> = []
  for (let sum = 0; sum < 1.5 * limit * 10; ) {
    const tokens = between(next, 1, most)
    arrivals.push({ at: 0, tokens, tenant: `t${arrivals.length % tenants}`, agent: `a${arrivals.length % 5}` })
    sum += tokens
  }
  return arrivals
}

describe("the exact window", () => {
  it("never admits more than the limit in any 60 seconds, whatever arrives, settles or is given up", () => {
    for (let seed = 1; seed <= 40; seed++) {
      const most = [2_000, 20_000, 100_000, 400_000][seed % 4] ?? 0
      const { log } = simulate(traffic(seed, most), tenMinutes)
      assert.isAbove(log.length, 10)
      assert.isAtMost(worstWindow(log), limit)
    }
  })

  it("holds at the moment of each admission when requests take more than they reserved", () => {
    for (let seed = 1; seed <= 10; seed++) {
      const next = random(seed)
      const more = traffic(seed, 20_000).map((arrival) => ({
        ...arrival,
        actual: { tokens: Math.floor(arrival.tokens * (1 + next())), after: between(next, 0, 20_000) }
      }))
      const { admission, log, now } = simulate(more, tenMinutes)
      const reserved = log.map(({ arrival: { tokens }, at }) => ({ at, tokens }))
      assert.isAtMost(worstWindow(reserved), limit)
      assert.isAtMost(admission.input.used(now + minute), 0)
    }
  })

  it("uses at least 97 % of the limit while requests wait", () => {
    for (const most of [500, 2_000, 10_000, 25_000]) {
      for (const tenants of [1, 3]) {
        const { admission, log } = simulate(backlog(most, most, tenants), tenMinutes)
        const used = total(log.filter(({ at }) => at < tenMinutes)) / (10 * limit)
        assert.isAbove(admission.backlog.waiting, 0)
        assert.isAtLeast(used, 0.97, `requests up to ${most} of ${tenants} tenants`)
        assert.isAtMost(worstWindow(log), limit)
      }
    }
  })

  it("loses no more than what the waiting request needs, however large requests are", () => {
    for (const most of [50_000, 150_000, 400_000]) {
      const { log } = simulate(backlog(most, most), tenMinutes)
      for (let start = 0; start < tenMinutes; start += minute) {
        const used = total(log.filter(({ at }) => at >= start && at < start + minute))
        assert.isAbove(used, limit - most, `minute from ${start}, requests up to ${most}`)
      }
    }
  })

  it("returns to nothing after 60 seconds, with no request in flight, after random interruptions", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const next = random(seed)
      const abandoned = traffic(seed, 30_000).map((arrival) => ({ ...arrival, gone: between(next, 0, 120_000) }))
      const { admission, now } = simulate(abandoned, tenMinutes + 10 * minute)
      assert.strictEqual(admission.inFlight, 0)
      assert.strictEqual(admission.backlog.waiting, 0)
      assert.strictEqual(admission.backlog.waitingTokens, 0)
      assert.strictEqual(admission.input.used(now + minute), 0)
      assert.strictEqual(admission.output.used(now + minute), 0)
    }
  })

  it("lets half of the minute out at once after a cold start, and the rest evenly", () => {
    const { log } = simulate(backlog(1, 5_000), minute - 1)
    const by = (at: number) => total(log.filter((one) => one.at <= at)) / limit
    assert.isAtLeast(by(0), 0.45)
    assert.isAtMost(by(0), 0.55)
    assert.isAtMost(by(30_000), 0.8)
    assert.isAtLeast(by(minute), 0.97)
  })

  it("refuses at once what can never be admitted, and says so", () => {
    const { admission } = simulate([], minute)
    const caller = { tenant: "t", agent: "a", priority: "normal" } as const
    const refusal = admission.enqueue(0, { model: "m", caller, inputTokens: limit + 1, outputTokens: 0 })
    assert.isTrue("reason" in refusal && refusal.reason === "TooLarge" && /400,001/.test(refusal.message))
    assert.isFalse("reason" in admission.enqueue(0, { model: "m", caller, inputTokens: limit, outputTokens: 1e9 }))
  })
})

describe("output tokens", () => {
  const limits = { outputPerMinute: 10_000 }

  it("are a window of their own", () => {
    const { admission } = simulate([], 0, limits)
    const caller = { tenant: "t", agent: "a", priority: "normal" } as const
    const ask = (outputTokens: number) => admission.enqueue(0, { model: "m", caller, inputTokens: 1, outputTokens })
    const tickets = [ask(6_000), ask(3_000), ask(3_000)]
    for (let ticket = admission.next(0); ticket !== undefined; ticket = admission.next(0)) admission.admit(0, ticket)
    const [first, second, third] = tickets
    assert.isTrue(first !== undefined && "state" in first && first.state === "admitted")
    assert.isTrue(second !== undefined && "state" in second && second.state === "admitted")
    assert.isTrue(third !== undefined && "state" in third && third.state === "waiting")
    assert.strictEqual(admission.wakeAt, minute)
    assert.strictEqual(admission.output.used(0), 9_000)
  })

  it("count with the last minute of an answer that took longer", () => {
    const { admission } = simulate([], 0, limits)
    const caller = { tenant: "t", agent: "a", priority: "normal" } as const
    const ticket = admission.enqueue(0, { model: "m", caller, inputTokens: 1, outputTokens: 500 })
    if ("reason" in ticket) return assert.fail(ticket.message)
    admission.admit(0, ticket)
    const usage = { input: 1, cacheWrite5m: 0, cacheWrite1h: 0, cacheRead: 0, output: 9_000 }
    admission.settle(3 * minute, ticket.id, usage)
    assert.strictEqual(admission.output.used(3 * minute), 3_000)
  })
})
