import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { variables } from "../../src/SettingsTable.ts"

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")
const names = Object.values(variables).map(({ name }) => name)
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name)

describe(".env.sample", () => {
  const sample = read(".env.sample")

  it("has every variable, and no other, in the order of the settings", () => {
    assert.deepStrictEqual(matches(sample, /^#? ?([A-Z][A-Z_]+)=/gm), names)
  })

  for (const { name, doc, fallback } of Object.values(variables)) {
    it(`${name} has its description and its default`, () => {
      assert.include(sample, `\n# ${doc}\n${name}=${fallback}\n`)
    })
  }
})

describe("docs/configuration.md", () => {
  const page = read("docs/configuration.md")

  it("has a row for every variable, and no other, in the order of the settings", () => {
    assert.deepStrictEqual(matches(page, /^\| `([A-Z_]+)` \|/gm), names)
  })

  for (const { name, fallback, accepts, doc } of Object.values(variables)) {
    it(`${name} has its default, what it accepts and its description`, () => {
      const shown = fallback === "" ? "none" : `\`${fallback}\``
      assert.include(page, `\n| \`${name}\` | ${shown} | ${accepts} | ${doc} |\n`)
    })
  }

  it("names the old name too", () => {
    for (const { formerly } of Object.values(variables)) if (formerly !== undefined) assert.include(page, formerly)
  })
})
