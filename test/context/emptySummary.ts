import type { WrittenSummary } from "../../src/context/SummaryWriter.ts"

/** A model's summary that says nothing: tests fill in what they are about. */
export const emptySummary: WrittenSummary = {
  intents: [],
  constraints: [],
  decisions: [],
  agents: [],
  outcomes: [],
  openQuestions: []
}
