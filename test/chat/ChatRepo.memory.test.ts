import { layer } from "@effect/vitest"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { modelSuite } from "./model.ts"
import { chatRepoSuite } from "./suite.ts"

layer(ChatRepo.layerMemory)("ChatRepo in memory", (it) => {
  chatRepoSuite(it)
  modelSuite(it, 200)
})
