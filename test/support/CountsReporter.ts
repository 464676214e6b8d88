import type { Reporter, TestModule, Vitest } from "vitest/node"

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** A file, suite or hook that broke outside of any test counts as one failure more. */
const countModule = (counts: Counts, module: TestModule): void => {
  counts.failed += module.errors().length
  for (const suite of module.children.allSuites()) counts.failed += suite.errors().length
  for (const test of module.children.allTests()) {
    const { state } = test.result()
    counts[state === "pending" ? "skipped" : state] += 1
  }
}

/** Ends the run with `N passed, N failed, N skipped` alone on a line, for programs that read the log. */
export class CountsReporter implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<unknown>): void {
    const counts: Counts = { passed: 0, failed: unhandled.length, skipped: 0 }
    for (const module of modules) countModule(counts, module)
    this.#vitest?.logger.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`)
  }
}
