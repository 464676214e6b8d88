import type { SettingsShape } from "../Settings.ts"
import { decide } from "./CompactionPolicy.ts"
import type { ContextOptions } from "./ContextOptions.ts"

/** The part of a context's options that the settings decide, with the shipped policy. */
export const settingsOptions = (
  settings: SettingsShape
): Omit<ContextOptions, "conversation" | "estimator" | "summarizer" | "catalog"> => ({
  objective: settings.compactionObjective,
  policy: decide,
  maxTokens: settings.maxContextTokens,
  maxMessages: settings.maxContextMessages,
  recentMessages: settings.recentMessagesFull,
  midMessages: settings.midRangeMessages,
  agentTools: new Set(settings.agentTools),
  segmentMessages: settings.summarizationThresholdMessages,
  summaryWords: settings.summaryLengthWords
})
