import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { chatRepoSuite } from "./suite.ts"

chatRepoSuite("ChatRepo in memory", ChatRepo.layerMemory)
