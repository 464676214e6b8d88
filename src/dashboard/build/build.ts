import { copyFile } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import vue from "@vitejs/plugin-vue"
import { build, type InlineConfig } from "vite"
import config from "../vite.config.ts"

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const outDir = at("../../../dist/dashboard")

/** The compact panel: with Vue inside as a custom element, without it as a component. */
const panel = (entry: string, name: string, external: ReadonlyArray<string>): InlineConfig => ({
  configFile: false,
  root: at(".."),
  logLevel: "warn",
  plugins: [vue()],
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  build: {
    outDir,
    emptyOutDir: false,
    target: "es2023",
    reportCompressedSize: false,
    lib: { entry: at(entry), formats: ["es"], fileName: () => `${name}.js`, cssFileName: name },
    rolldownOptions: { external: [...external] }
  }
})

await build({ ...config, configFile: false, logLevel: "warn" })
await build(panel("../panel/element.ts", "token-metrics", []))
await build(panel("../panel/index.ts", "TokenMetrics", ["vue"]))
await copyFile(at("../panel/TokenMetrics.d.ts"), `${outDir}/TokenMetrics.d.ts`)
