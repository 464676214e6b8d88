import "uplot/dist/uPlot.min.css"
import "./style/tokens.css"
import "./style/base.css"
import "./style/layout.css"
import { createApp } from "vue"
import App from "./App.vue"
import { makeSluice, SluiceKey } from "./state/Sluice.ts"
import { token } from "./state/session.ts"

// The page may live under a path of a proxy: the API is found beside it.
const base = location.pathname.replace(/\/(index\.html)?$/, "")
const sluice = makeSluice({ base, token: () => token.value })

createApp(App).provide(SluiceKey, sluice).mount("#app")
sluice.start()
