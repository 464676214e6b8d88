import { mkdtempSync, writeFileSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { ConfigProvider, Effect } from "effect"
import { layer } from "../../src/cli/replay/layer.ts"
import type { StoredMessage } from "../../src/domain/Conversation.ts"
import { blocksOf } from "../../src/domain/Message.ts"
import { historyOf } from "../support/history.ts"

/** Numbers for a history; other seeds give other histories. */
export const numbersOf = (seed: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, index) => (seed * 7_919 + index * 4_001) % 4_999)

const back = 45

/** What users say gets a name of its own; the assistant speaks of what was said 45 messages before. */
export const remembering = (history: ReadonlyArray<StoredMessage>): ReadonlyArray<StoredMessage> =>
  history.map((message) => {
    const blocks = blocksOf(message.content)
    if (message.role === "user") {
      return { ...message, content: [...blocks, { type: "text", text: `This is note_${message.seq}.` }] }
    }
    return { ...message, content: [{ type: "text", text: `As in note_${message.seq - back}.` }, ...blocks] }
  })

/** A transcript as people have them: one message a line. */
export const logOf = (seed: number, count: number): string =>
  remembering(historyOf(numbersOf(seed, count)))
    .map(({ content, createdAt, role }) => JSON.stringify({ role, content, timestamp: new Date(createdAt) }))
    .join("\n")

/** A folder of logs that is gone with the scope. */
export const folderOf = (logs: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = mkdtempSync(join(tmpdir(), "sluice-replay-"))
      for (const [name, text] of Object.entries(logs)) writeFileSync(join(folder, name), text)
      return folder
    }),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  )

/** Replays under these variables and no others. */
export const under =
  (variables: Readonly<Record<string, string>> = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(
      Effect.provide(layer),
      Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(variables))
    )
