import { copyFile, mkdir, rename, rm } from "node:fs/promises"
import { fileURLToPath } from "node:url"
import vue from "@vitejs/plugin-vue"
import { build, type InlineConfig } from "vite"
import config from "../vite.config.ts"

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const target = at("../../../dist/dashboard")

/** The compact panel: with Vue inside as a custom element, without it as a component. */
const panel = (outDir: string, entry: string, name: string, external: ReadonlyArray<string>): InlineConfig => ({
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

/** Builds beside the target and moves it there when it is whole; without `replace`, what is there already wins. */
export const buildDashboard = async ({ replace }: { readonly replace: boolean }): Promise<void> => {
  const outDir = at(`../../../dist/.dashboard-${process.pid}`)
  await mkdir(outDir, { recursive: true })
  try {
    await build({ ...config, configFile: false, logLevel: "warn", build: { ...config.build, outDir } })
    await build(panel(outDir, "../panel/element.ts", "token-metrics", []))
    await build(panel(outDir, "../panel/index.ts", "TokenMetrics", ["vue"]))
    await copyFile(at("../panel/TokenMetrics.d.ts"), `${outDir}/TokenMetrics.d.ts`)
    if (replace) await rm(target, { recursive: true, force: true })
    await rename(outDir, target).catch((error: NodeJS.ErrnoException) => {
      // Somebody else was first.
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error
    })
  } finally {
    await rm(outDir, { recursive: true, force: true })
  }
}

if (import.meta.main) await buildDashboard({ replace: true })
