import type { DefineComponent } from "vue"

/** The compact panel. `baseUrl`: where Sluice answers, without a slash at its end; `token`: ADMIN_TOKEN or a tenant's. */
export declare const TokenMetrics: DefineComponent<{ baseUrl?: string; token?: string }>
