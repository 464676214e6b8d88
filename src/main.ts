#!/usr/bin/env node
import { enableCompileCache } from "node:module"
import { fileURLToPath } from "node:url"

// Compiled code is kept beside the dependencies, not in a folder that others can write to: the second start takes half
// the processor time. Where that folder cannot be written, Node goes on without.
enableCompileCache(fileURLToPath(new URL("../node_modules/.cache/sluice/compile", import.meta.url)))

await import("./cli/run.ts")
