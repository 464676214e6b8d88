import { computed, ref } from "vue"

export const views = ["now", "money", "cache", "context", "requests"] as const
export type ViewName = (typeof views)[number]

const hash = ref(location.hash)
addEventListener("hashchange", () => {
  hash.value = location.hash
})

const isView = (name: string): name is ViewName => (views as ReadonlyArray<string>).includes(name)

/** A link that was cut in the middle of a character is taken as it stands. */
const decoded = (item: string): string => {
  try {
    return decodeURIComponent(item)
  } catch {
    return item
  }
}

/** `#/context/ID`: the view, and what is opened in it. */
export const route = computed((): { readonly view: ViewName; readonly item: string | null } => {
  const [view = "", item] = hash.value.replace(/^#\/?/, "").split("/")
  return {
    view: isView(view) ? view : "now",
    item: item === undefined || item === "" ? null : decoded(item)
  }
})

export const hrefOf = (view: ViewName, item?: string): string =>
  item === undefined ? `#/${view}` : `#/${view}/${encodeURIComponent(item)}`
