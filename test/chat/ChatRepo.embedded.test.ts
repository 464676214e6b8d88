import { Layer } from "effect"
import { ChatRepo } from "../../src/chat/ChatRepo.ts"
import { Database } from "../../src/chat/Database.ts"
import { chatRepoSuite } from "./suite.ts"

chatRepoSuite("ChatRepo on PGlite", Layer.provide(ChatRepo.layerNoDeps, Database.layerMemory))
