import { existsSync } from "node:fs"

/** Before `npm start`: builds what is missing; where Vite is missing too, the service says so on the page instead. */
if (!existsSync(new URL("../../../dist/dashboard/index.html", import.meta.url))) {
  try {
    const { buildDashboard } = await import("./build.ts")
    await buildDashboard({ replace: false })
  } catch (error) {
    process.stderr.write(`The dashboard was not built: ${error instanceof Error ? error.message : String(error)}\n`)
  }
}
