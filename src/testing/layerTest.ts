import { Layer } from "effect"
import { layerServices } from "../App.ts"
import { Database } from "../chat/Database.ts"
import { Claude } from "../claude/Claude.ts"
import { Settings, type SettingsOverrides } from "../Settings.ts"
import { Simulator, type SimulatorOptions } from "./simulator/Simulator.ts"

/**
 * Every service as it is shipped, on a database in memory and the simulator: nothing is read from the environment,
 * nothing is written, nothing is sent. `Simulator` is there too, to script answers, inject faults and read the bill.
 * Takes about two seconds to build: share it between the tests of a file.
 */
export const layerTest = (
  options: { readonly settings?: SettingsOverrides | undefined; readonly simulator?: SimulatorOptions | undefined } = {}
) =>
  layerServices.pipe(
    Layer.provideMerge(Claude.layerSimulatedNoDeps),
    Layer.provideMerge(Layer.merge(Simulator.layerWith(options.simulator ?? {}), Database.layerMemory)),
    Layer.provideMerge(Settings.layerWith(options.settings ?? {}))
  )
