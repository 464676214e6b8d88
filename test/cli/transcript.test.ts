import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { parseTranscripts } from "../../src/cli/replay/Transcript.ts"
import { folderOf } from "./logs.ts"
import { sluice } from "./run.ts"

const line = (value: unknown): string => JSON.stringify(value)

describe("transcripts in the format of the API", () => {
  it("keeps messages in order, with their times and logged output", () => {
    const text = [
      line({ role: "user", content: "hello", timestamp: "2026-01-01T00:00:00Z" }),
      line({ role: "assistant", content: [{ type: "text", text: "hi" }], usage: { output_tokens: 7 } })
    ].join("\n")
    const { skipped, transcripts } = parseTranscripts("a.jsonl", text)
    assert.deepStrictEqual(skipped, [])
    assert.deepStrictEqual(
      transcripts[0]?.messages.map((m) => [m.seq, m.role, m.createdAt]),
      [
        [0, "user", Date.parse("2026-01-01T00:00:00Z")],
        [1, "assistant", Date.parse("2026-01-01T00:00:00Z")]
      ]
    )
    assert.strictEqual(transcripts[0]?.outputTokens.get(1), 7)
  })

  it("what comes before the first known time did not come before a pause", () => {
    const text = [
      line({ role: "user", content: "hello" }),
      line({ role: "assistant", content: "hi" }),
      line({ role: "user", content: "go on", timestamp: "2026-01-01T00:00:00Z" }),
      line({ role: "assistant", content: "done" })
    ].join("\n")
    const [transcript] = parseTranscripts("a.jsonl", text).transcripts
    assert.deepStrictEqual(
      transcript?.messages.map(({ createdAt }) => createdAt),
      Array.from({ length: 4 }, () => Date.parse("2026-01-01T00:00:00Z"))
    )
  })

  it.live("times without a zone lie an hour apart, also where a clock is put forward between them", () =>
    Effect.gen(function* () {
      const said = ["2026-03-08T01:58:00", "2026-03-08T03:01:00"].flatMap((timestamp) => [
        { role: "user", content: "Read the file, please. ".repeat(500), timestamp },
        { role: "assistant", content: "Done.", timestamp }
      ])
      const folder = yield* folderOf({ "a.jsonl": said.map(line).join("\n") })
      const args = ["replay", folder, "--policy", "none", "--json"]
      const { stdout } = yield* sluice(args, { TZ: "America/New_York" })
      assert.deepInclude(JSON.parse(stdout).policies.none.cacheMissesByCause, { cold: 1 })
    }).pipe(Effect.scoped)
  )

  it("names every line it cannot use and keeps the others", () => {
    const text = [
      line({ role: "user", content: "a" }),
      "not json at all",
      line([1, 2]),
      line({ role: "robot", content: "x" }),
      line({ role: "user", content: [{ type: "text" }] }),
      "",
      line({ role: "assistant", content: "b" }),
      '{"role":"user","content":"cut o'
    ].join("\n")
    const { skipped, transcripts } = parseTranscripts("a.jsonl", text)
    assert.deepStrictEqual(
      skipped.map((s) => s.line),
      [2, 3, 4, 5, 8]
    )
    assert.isTrue(skipped.every((s) => s.file === "a.jsonl" && s.reason.length > 0))
    assert.deepStrictEqual(
      transcripts[0]?.messages.map((m) => m.content),
      ["a", "b"]
    )
  })

  it("gives unsigned thinking a stand-in signature and leaves other blocks the objects they are", () => {
    const { transcripts } = parseTranscripts(
      "a",
      line({
        role: "assistant",
        content: [
          { type: "thinking", thinking: "hm" },
          { type: "x", y: 1 }
        ]
      })
    )
    const [first, second] = (transcripts[0]?.messages[0]?.content ?? []) as ReadonlyArray<Record<string, unknown>>
    assert.isString(first?.signature)
    assert.deepStrictEqual(second, { type: "x", y: 1 })
  })

  it("an empty file holds no transcript", () => {
    assert.deepStrictEqual(parseTranscripts("a", "\n\n"), { transcripts: [], skipped: [] })
  })
})

describe("Claude Code session logs", () => {
  const assistant = (id: string, block: object, extra: object = {}) =>
    line({
      type: "assistant",
      requestId: "r",
      message: { id, role: "assistant", content: [block], usage: { output_tokens: 3 } },
      ...extra
    })
  const user = (content: unknown, extra: object = {}) =>
    line({ type: "user", message: { role: "user", content }, ...extra })

  it("joins the blocks of one message, drops copies, and ignores lines that are no messages", () => {
    const text = [
      line({ type: "summary", summary: "x" }),
      line({ type: "file-history-snapshot", snapshot: {} }),
      user("do it"),
      assistant("m1", { type: "text", text: "ok" }),
      assistant("m1", { type: "tool_use", id: "t1", name: "Bash", input: {} }, { message: undefined }),
      assistant("m1", { type: "tool_use", id: "t1", name: "Bash", input: {} }),
      assistant("m1", { type: "text", text: "ok" }),
      user([{ type: "tool_result", tool_use_id: "t1", content: "done" }])
    ].join("\n")
    const { transcripts } = parseTranscripts("s.jsonl", text)
    const messages = transcripts[0]?.messages ?? []
    assert.deepStrictEqual(
      messages.map((m) => m.role),
      ["user", "assistant", "user"]
    )
    assert.strictEqual(messages[1]?.content.length, 2)
  })

  it("leaves out compaction summaries, error notices and synthetic answers", () => {
    const text = [
      user("a"),
      user("the whole story so far", { isCompactSummary: true }),
      line({
        type: "assistant",
        isApiErrorMessage: true,
        message: { id: "e", role: "assistant", content: "API Error" }
      }),
      line({ type: "assistant", message: { id: "s", model: "<synthetic>", role: "assistant", content: "no" } })
    ].join("\n")
    assert.deepStrictEqual(
      parseTranscripts("s", text).transcripts[0]?.messages.map((m) => m.content),
      ["a"]
    )
  })

  it("gives each sub-agent a transcript of its own", () => {
    const text = [
      user("main"),
      user("sub", { isSidechain: true, agentId: "x1" }),
      assistant("m", { type: "text", text: "y" })
    ].join("\n")
    assert.deepStrictEqual(
      parseTranscripts("s.jsonl", text).transcripts.map((t) => [t.name, t.messages.length]),
      [
        ["s.jsonl", 2],
        ["s.jsonl#agent-x1", 1]
      ]
    )
  })
})
