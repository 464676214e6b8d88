// biome-ignore-all lint/suspicious/noConsole: an example shows what it got
import Anthropic from "@anthropic-ai/sdk"
import { makeSluice } from "../../src/index.ts"

await using sluice = makeSluice()
const claude = new Anthropic({ apiKey: process.env.ANTHROPIC_API_KEY ?? "none", fetch: sluice.fetch })
const answer = await claude.messages.create({
  model: "claude-sonnet-5-5",
  max_tokens: 200,
  messages: [{ role: "user", content: "Say hello." }]
})
console.log(answer.content, answer.usage)
