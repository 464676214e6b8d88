// biome-ignore-all lint/suspicious/noConsole: an example shows what it got
import { makeSluice } from "../../src/index.ts"

await using sluice = makeSluice({ maxContextTokens: 20_000 })
const { id } = await sluice.createConversation({ title: "First steps" })
for await (const event of sluice.send(id, "Which agents do I have?")) {
  if (event._tag === "TextDelta") process.stdout.write(event.text)
  if (event._tag === "Done") console.log("\n", event.context)
}
