import { type App, createApp } from "vue"
import css from "./panel.css?inline"
import TokenMetrics from "./TokenMetrics.vue"

/** `<sluice-token-metrics base-url="…" token="…">`: the compact panel in any page. */
export class SluiceTokenMetrics extends HTMLElement {
  static readonly observedAttributes = ["base-url", "token"]
  private app: App | undefined

  connectedCallback(): void {
    const root = this.shadowRoot ?? this.attachShadow({ mode: "open" })
    // A constructed sheet passes the strictest content security policy; a <style> element does not.
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(css)
    root.adoptedStyleSheets = [sheet]
    const place = document.createElement("div")
    root.replaceChildren(place)
    const baseUrl = this.getAttribute("base-url") ?? ""
    this.app = createApp(TokenMetrics, { baseUrl, token: this.getAttribute("token") ?? "" })
    this.app.mount(place)
  }

  disconnectedCallback(): void {
    this.app?.unmount()
    this.app = undefined
  }

  attributeChangedCallback(): void {
    if (this.app === undefined) return
    this.disconnectedCallback()
    this.connectedCallback()
  }
}

if (customElements.get("sluice-token-metrics") === undefined) {
  customElements.define("sluice-token-metrics", SluiceTokenMetrics)
}
