import { ref } from "vue"

const name = "sluice-token"

/** The administrator's (or a tenant's) token: kept for this tab only, sent to nobody but this Sluice. */
export const token = ref<string | null>(sessionStorage.getItem(name))

export const setToken = (value: string | null): void => {
  const given = value?.trim() ?? ""
  token.value = given === "" ? null : given
  if (token.value === null) sessionStorage.removeItem(name)
  else sessionStorage.setItem(name, token.value)
}
