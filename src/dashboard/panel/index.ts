import "./panel.css"

/** The compact panel as a Vue 3 component: `<TokenMetrics base-url="…" token="…" />`. */
export { default as TokenMetrics } from "./TokenMetrics.vue"
