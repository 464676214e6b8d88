import { ref, watchEffect } from "vue"

export type Theme = "auto" | "light" | "dark"

const name = "sluice-theme"

const stored = (): Theme => {
  const value = localStorage.getItem(name)
  return value === "light" || value === "dark" ? value : "auto"
}

/** Light, dark, or as the system says; remembered on this device. */
export const theme = ref<Theme>(stored())

const system = matchMedia("(prefers-color-scheme: dark)")

/** Counts changes, so that what is painted on a canvas knows when to paint anew. */
export const paint = ref(0)

system.addEventListener("change", () => {
  paint.value += 1
})

watchEffect(() => {
  const root = document.documentElement
  if (theme.value === "auto") {
    delete root.dataset.theme
    localStorage.removeItem(name)
  } else {
    root.dataset.theme = theme.value
    localStorage.setItem(name, theme.value)
  }
  paint.value += 1
})

export const nextTheme = (): void => {
  theme.value = theme.value === "auto" ? "light" : theme.value === "light" ? "dark" : "auto"
}
