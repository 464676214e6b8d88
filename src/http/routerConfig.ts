/** In a path a conversation's id, 200 characters that its maker chose, may take nine times as many; the router's own limit is 100. */
export const routerConfig = { maxParamLength: 1_800 }
