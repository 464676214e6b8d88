import { spawn } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { clean, root } from "../cli/run.ts"
import { temporary } from "../cli/service.ts"

const run = (example: string, DATA_DIR: string) =>
  Effect.callback<{ readonly code: number | null; readonly output: string }>((resume) => {
    const child = spawn(process.execPath, [`docs/examples/${example}`], { cwd: root, env: clean({ DATA_DIR }) })
    let output = ""
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk) => {
        output += chunk
      })
    }
    child.on("close", (code) => resume(Effect.succeed({ code, output })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

describe("examples run as they are, on the simulator", () => {
  for (const [example, expected] of [
    ["embed.ts", "output_tokens"],
    ["conversation.ts", "percentOfLimit"],
    ["effect.ts", "Done"]
  ] as const) {
    it.live(example, () =>
      Effect.gen(function* () {
        const { code, output } = yield* run(example, yield* temporary)
        assert.strictEqual(code, 0, output)
        assert.include(output, expected)
      }).pipe(Effect.scoped)
    )
  }
})
