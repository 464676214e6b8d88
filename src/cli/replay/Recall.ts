import type { StoredMessage } from "../../domain/Conversation.ts"
import { mentionsOf, usedBy } from "./Identifiers.ts"
import type { Player } from "./Policy.ts"
import type { Totals } from "./Totals.ts"

/** By request (the number of messages before it): what its answer needed from further back than the last messages. */
export type Needs = ReadonlyMap<number, ReadonlyArray<string>>

export const noNeeds: Needs = new Map()

/** An identifier that one of so many last messages mentions is not one that has to be remembered. */
export const rememberedMessages = 30

const answerAt = (messages: ReadonlyArray<StoredMessage>, point: number): ReadonlyArray<StoredMessage> => {
  let end = point
  while (messages[end]?.role === "assistant") end++
  return messages.slice(point, end)
}

/**
 * What had to be remembered in a conversation: for each request, the identifiers that the recorded answer used and that
 * the history before it had last mentioned more than 30 messages earlier. One pass, the same for every policy.
 */
export const needsOf = (messages: ReadonlyArray<StoredMessage>, points: ReadonlyArray<number>): Needs => {
  const lastAt = new Map<string, number>()
  const needs = new Map<number, ReadonlyArray<string>>()
  let read = 0
  for (const point of points) {
    for (; read < point; read++) {
      const message = messages[read]
      if (message === undefined) break
      for (const mentions of mentionsOf(message)) for (const identifier of mentions) lastAt.set(identifier, read)
    }
    const needed = Array.from(usedBy(answerAt(messages, point))).filter(
      (identifier) => (lastAt.get(identifier) ?? point) < point - rememberedMessages
    )
    if (needed.length > 0) needs.set(point, needed)
  }
  return needs
}

/** How many of the identifiers that the answer at `point` needed stood in what the policy sent for it. */
export const recalled = (needs: Needs, point: number, player: Player): Pick<Totals, "recallNeeded" | "recallHeld"> => {
  const needed = needs.get(point) ?? []
  if (needed.length === 0 || player.complete === true) {
    return { recallNeeded: needed.length, recallHeld: needed.length }
  }
  const sent = player.messages().flatMap(mentionsOf)
  const held = needed.filter((identifier) => sent.some((mentions) => mentions.has(identifier)))
  return { recallNeeded: needed.length, recallHeld: held.length }
}
