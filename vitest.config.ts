import { defineConfig } from "vitest/config"
import { CountsReporter } from "./test/support/CountsReporter.ts"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    reporters: ["default", new CountsReporter()],
    testTimeout: 60_000,
    hookTimeout: 120_000
  }
})
