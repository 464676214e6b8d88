import type { ClaudeError } from "./ClaudeError.ts"

/** A 400 about thinking that the history holds, not about the parameter: its signature is bound to another history. */
export const refusesThinking = ({ reason }: ClaudeError): boolean => {
  if (reason._tag !== "Rejected" || reason.status !== 400) return false
  const text = JSON.stringify(reason.body) ?? ""
  return /invalid.{0,9}signature/i.test(text) || /messages\.\d+.*thinking|thinking.{0,9}blocks?\b/i.test(text)
}
