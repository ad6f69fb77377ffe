/** The contract of the small-value store: JSON per account and module, for modules that need no table. */

/**
 * Keys are `local` or `local` + space + anything (RFC 7622 allows no space in a localpart): what comes before the
 * space is the account that the value is deleted with. Values are what JSON can say; `undefined` members vanish.
 */
export interface MapStore<T> {
  get(key: string): Promise<T | undefined>
  set(key: string, value: T): Promise<void>
  /** Sets `value` where there is none; gives the one that is there then, whoever else tries at the same time. */
  keep(key: string, value: T): Promise<T>
  /** All of them or none, in one go. */
  setMany(values: ReadonlyMap<string, T>): Promise<void>
  delete(key: string): Promise<void>
}

/** The account's localpart and the rest of a key. */
export function splitKey(key: string): { local: string; rest: string } {
  const space = key.indexOf(' ')
  return space < 0 ? { local: key, rest: '' } : { local: key.slice(0, space), rest: key.slice(space + 1) }
}
