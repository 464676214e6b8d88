import { shallowRef } from "vue"
import type { Api } from "../api/client.ts"
import type { Conversation } from "../api/types.ts"

const most = 1_000

/** Titles of conversations, as far as their list told them: of the newest, and of those that were looked at. */
export const makeTitles = (api: Api) => {
  const titles = shallowRef<ReadonlyMap<string, string>>(new Map())
  const asked = new Set<string>()

  const note = (conversations: ReadonlyArray<Conversation>): void => {
    const told = conversations.flatMap(({ id, title }) => (title ? [[id, title] as const] : []))
    titles.value = new Map([...titles.value, ...told].slice(-most))
  }

  /** Asks for the list when one of these was never asked for. Who may not read it goes on with ids. */
  const want = async (ids: ReadonlyArray<string>): Promise<void> => {
    const unknown = ids.filter((id) => !asked.has(id) && !titles.value.has(id))
    if (unknown.length === 0) return
    if (asked.size > most) asked.clear()
    for (const id of unknown) asked.add(id)
    const page = await api.conversations().catch(() => undefined)
    if (page !== undefined) note(page.conversations)
  }

  const forget = (): void => {
    titles.value = new Map()
    asked.clear()
  }

  return { titles, note, want, forget }
}
