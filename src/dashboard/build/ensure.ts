import { spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

/** Meanwhile: what a fresh database is made of. It says by itself what goes wrong. */
const database = () => {
  const script = fileURLToPath(new URL("../../chat/embedded/prepare.ts", import.meta.url))
  return once(spawn(process.execPath, [script], { stdio: "inherit" }), "exit")
}

/** Before `npm start`: builds what is missing; where Vite is missing too, the service says so on the page instead. */
if (!existsSync(new URL("../../../dist/dashboard/index.html", import.meta.url))) {
  const prepared = database()
  try {
    const { buildDashboard } = await import("./build.ts")
    await buildDashboard({ replace: false })
  } catch (error) {
    process.stderr.write(`The dashboard was not built: ${error instanceof Error ? error.message : String(error)}\n`)
  }
  await prepared
}
