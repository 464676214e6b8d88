import { Effect } from "effect"
import type { ChatRepo } from "../chat/ChatRepo.ts"
import type { CostState, CostTotals, CostTracker } from "../costs/CostTracker.ts"
import { format } from "../domain/Money.ts"
import { promptTokens } from "../domain/Usage.ts"
import type { Tool } from "./TurnEvent.ts"

const noInput = { type: "object", properties: {}, additionalProperties: false }

const line = (name: string, { costNanoUsd, rawTokens, requests, savedNanoUsd, usage }: CostTotals): string =>
  `${name}: ${format(costNanoUsd)} for ${requests} requests, ${promptTokens(usage)} prompt tokens (${rawTokens} without compaction), ${usage.output} output tokens, ${format(savedNanoUsd)} saved`

const budget = ({ dailyBudgetNanoUsd, paused, thresholdNanoUsd, thresholdPercent }: CostState): string => {
  const limit = dailyBudgetNanoUsd === null ? "no daily budget" : `daily budget ${format(dailyBudgetNanoUsd)}`
  return `${limit}; ${Math.round(thresholdPercent)} % of the alert threshold ${format(thresholdNanoUsd)}${paused ? "; spending is paused" : ""}`
}

/** What has been spent: today, in all, and against the budget. */
export const reportCost = (costs: CostTracker["Service"]): Tool => ({
  definition: {
    name: "report_cost",
    description: "Reports what the use of language models has cost so far: today, in total, and against the budget.",
    input_schema: noInput
  },
  run: () =>
    Effect.map(costs.state, (state) =>
      state.enabled
        ? [line(`Today (${state.day})`, state.today), line("In total", state.total), budget(state)].join("\n")
        : "Cost tracking is switched off (COST_TRACKING_ENABLED=false)."
    )
})

/** The sub-agents of the conversation. */
export const listAgents = (repo: ChatRepo["Service"]): Tool => ({
  definition: {
    name: "list_agents",
    description: "Lists the sub-agents that were created or commanded in this conversation, with their last status.",
    input_schema: noInput
  },
  run: (_input, { conversation }) =>
    Effect.map(repo.agents(conversation), (agents) =>
      agents.length === 0
        ? "No sub-agents have been created in this conversation."
        : agents.map(({ lastSeq, name, status }) => `${name}: ${status} (message ${lastSeq})`).join("\n")
    )
})
