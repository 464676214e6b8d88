import type { Agent } from "../domain/Conversation.ts"

const byName = (a: Agent, b: Agent): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

/** One entry for each name, in order of name (so that two writers never wait for each other): the later of the newest `lastSeq`. */
export const newestByName = (agents: Iterable<Agent>): ReadonlyArray<Agent> => {
  const newest = new Map<string, Agent>()
  for (const agent of agents) {
    const known = newest.get(agent.name)
    if (known === undefined || agent.lastSeq >= known.lastSeq) newest.set(agent.name, agent)
  }
  return Array.from(newest.values()).sort(byName)
}
