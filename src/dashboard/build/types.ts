import { spawnSync } from "node:child_process"
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { compileScript, parse } from "vue/compiler-sfc"

/**
 * Checks the types of scripts and templates. `vue-tsc` cannot drive TypeScript 7, so each component is compiled to the
 * TypeScript that Vue makes of it, and that is checked by the ordinary compiler, in a copy beside the sources.
 */
const dashboard = fileURLToPath(new URL("..", import.meta.url))
const root = join(dashboard, "../..")
const copy = join(root, "dist/.dashboard-types")

const compiled = (path: string): string => {
  const { descriptor, errors } = parse(readFileSync(path, "utf8"), { filename: path })
  const failed = errors[0]
  if (failed !== undefined) throw failed
  if (descriptor.scriptSetup === null) return "export default {}\n"
  const { content } = compileScript(descriptor, { id: path, inlineTemplate: true })
  const props = /defineProps<(\{[\s\S]*?\})>\(\)/.exec(descriptor.scriptSetup.content)?.[1]
  const defaults = descriptor.scriptSetup.content.includes("withDefaults(")
  // Vue leaves the properties untyped in what it compiles; they are what was declared.
  return props === undefined
    ? content
    : content.replace("__props: any", `__props: ${defaults ? `Required<${props}>` : props}`)
}

rmSync(copy, { recursive: true, force: true })
mkdirSync(join(copy, "src"), { recursive: true })
for (const room of ["domain", "http", "access", "models", "chat"])
  symlinkSync(join(root, "src", room), join(copy, "src", room))
cpSync(dashboard, join(copy, "src/dashboard"), { recursive: true })
for (const path of globSync("**/*.vue", { cwd: dashboard })) {
  writeFileSync(join(copy, "src/dashboard", `${path}.ts`), compiled(join(dashboard, path)))
  rmSync(join(copy, "src/dashboard", path))
}
for (const path of globSync("src/dashboard/**/*.ts", { cwd: copy })) {
  const file = join(copy, path)
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(/(from "[^"]+\.vue)"/g, '$1.ts"'))
}
rmSync(join(copy, "src/dashboard/vue.d.ts"))
// What Vue generates declares more than it uses.
const { compilerOptions, ...config } = JSON.parse(readFileSync(join(dashboard, "tsconfig.json"), "utf8"))
const generated = { ...compilerOptions, noUnusedLocals: false, noUnusedParameters: false }
writeFileSync(
  join(copy, "src/dashboard/tsconfig.json"),
  JSON.stringify({ ...config, extends: join(root, "tsconfig.json"), compilerOptions: generated })
)
/** A template's `v-if` does not reach into the closures that it is compiled to: what is checked there is that names and types fit. */
const lostNarrowing = /error TS(?:2531|2532|18047|18048):/

const templateBegins = (file: string): number =>
  readFileSync(join(copy, file), "utf8")
    .split("\n")
    .findIndex((line) => line.includes("return (_ctx: any"))

const matters = (line: string): boolean => {
  const [, file, at] = /^(\S+\.vue\.ts)\((\d+),/.exec(line) ?? []
  return file === undefined || !lostNarrowing.test(line) || Number(at) <= templateBegins(file)
}

const { stdout } = spawnSync("tsc", ["-p", "src/dashboard", "--pretty", "false"], { cwd: copy, encoding: "utf8" })
const found = stdout.split("\n").filter((line) => line !== "" && matters(line))
process.stdout.write(found.map((line) => `${line}\n`).join(""))
if (found.length === 0) rmSync(copy, { recursive: true, force: true })
process.exitCode = found.length === 0 ? 0 : 1
