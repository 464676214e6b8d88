import { existsSync } from "node:fs"
import { type Browser, chromium } from "playwright-core"

const candidates = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]

/** Where a browser is on this machine, if anywhere. */
export const browserPath = candidates.find((path) => existsSync(path))

export const launch = (): Promise<Browser> =>
  chromium.launch({ executablePath: browserPath ?? "chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"] })
