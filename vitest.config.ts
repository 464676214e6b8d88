import { availableParallelism } from "node:os"
import { defineConfig } from "vitest/config"
import { CountsReporter } from "./test/support/CountsReporter.ts"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", new CountsReporter()],
    // The default leaves one core idle, of two.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 60_000,
    hookTimeout: 120_000
  }
})
