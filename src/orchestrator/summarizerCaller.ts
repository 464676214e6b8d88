import type { Caller } from "../domain/Caller.ts"

/** Its own agent name, so that budgets and reports can tell summaries from the work itself. */
export const summarizerCaller = (conversation: string): Caller => ({
  tenant: "default",
  agent: "summarizer",
  conversation,
  priority: "background",
  task: "summary"
})
