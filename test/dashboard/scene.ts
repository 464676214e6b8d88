import { setTimeout as sleep } from "node:timers/promises"
import { ask, converse, prose, say } from "./load.ts"
import type { Running, RunOptions } from "./running.ts"

export const adminToken = "admin-token-of-the-scene"

/** Settings under which every part of the dashboard has something to show. */
export const sceneOptions: RunOptions = {
  latency: 240,
  env: {
    ADMIN_TOKEN: adminToken,
    GATEWAY_TOKENS: "checkout=tenant-token-checkout,search=tenant-token-search,support=tenant-token-support",
    RATE_LIMIT_TOKENS_PER_MINUTE: "260000",
    RATE_LIMIT_OUTPUT_TOKENS_PER_MINUTE: "90000",
    MAX_CONTEXT_TOKENS: "12000",
    RECENT_MESSAGES_FULL: "10",
    MID_RANGE_MESSAGES: "24",
    COST_DAILY_BUDGET_USD: "4",
    COST_ALERT_THRESHOLD_USD: "2.5"
  }
}

const tenants = ["checkout", "search", "support"] as const
const agents = ["planner", "coder", "reviewer", "scribe"] as const
const models = ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-opus-5-5"] as const
const at = <A>(items: readonly [A, ...ReadonlyArray<A>], n: number): A => items[n % items.length] ?? items[0]

/** A talk that grows until it has to be compacted. */
const talk = async (url: string, title: string, turns: number): Promise<string> => {
  const id = await converse(url, title, adminToken)
  for (let turn = 0; turn < turns; turn++) {
    const job = `${title}, step ${turn + 1}`
    const content = prose(job, 500 + 90 * (turn % 5))
    await say(url, { conversation: id, content, agent: at(agents, turn), token: adminToken })
    await sleep(900)
  }
  return id
}

const gateway = async (url: string, n: number): Promise<void> => {
  const repeated = n % 3 === 0
  await ask(url, {
    model: at(models, n * 7),
    agent: at(agents, n),
    headers: { "x-api-key": `tenant-token-${at(tenants, n)}` },
    text: prose(repeated ? `nightly report ${n % 4}` : `ticket ${n}`, 300 + 40 * (n % 30)),
    maxTokens: 400
  })
}

/** Conversations, tenants, agents, repeats and a few failures, for about `seconds`. Answers the longest conversation. */
export const play = async ({ simulator, url }: Running, seconds: number): Promise<string> => {
  const until = Date.now() + seconds * 1000
  const talks = Promise.all([
    talk(url, "Migrate the billing service", 30),
    talk(url, "Investigate flaky checkout test", 16),
    talk(url, "Release notes for 4.2", 6)
  ])
  let n = 0
  while (Date.now() < until) {
    if (n === 12 && simulator !== undefined) {
      const body = JSON.stringify({ fault: { _tag: "Refuse", status: 400, message: "no" }, times: 2 })
      await fetch(`${simulator}/simulator/faults`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body
      })
    }
    await Promise.all([gateway(url, n), gateway(url, n + 1), gateway(url, n + 2)])
    n += 3
    await sleep(350)
  }
  const [longest = ""] = await talks
  return longest
}
