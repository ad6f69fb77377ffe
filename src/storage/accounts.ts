/** The contract of the account store: who may log in at a domain, and the keys that prove a password. */

/** RFC 5802 §3: what the server keeps instead of the password. */
export interface ScramKeys {
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

export type ScramHash = 'SHA-1' | 'SHA-256' | 'SHA-512'
export type AccountKeys = Readonly<Partial<Record<ScramHash, ScramKeys>>>

/** `admin`: of the whole server; `domain-admin`: of the domain of the account; `operator`: sees it, changes nothing. */
export type AccountRole = 'admin' | 'domain-admin' | 'operator'

export interface Account {
  /** Never used again for another account, not even after removal. */
  readonly id: number
  readonly domain: string
  readonly local: string
  readonly keys: AccountKeys
  /** Set while the account may not log in; `at` in milliseconds since 1970. */
  readonly disabled: { readonly reason: string; readonly at: number } | undefined
  readonly role: AccountRole | undefined
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** Whether an account still has these keys, perhaps besides others. */
export function hasKeys(keys: AccountKeys, known: AccountKeys): boolean {
  return Object.entries(known).every(([hash, { storedKey }]) =>
    keys[hash as ScramHash]?.storedKey.equals(storedKey),
  )
}

/** `domain` and `local` are prepared (RFC 7622) by the caller. All methods throw `StorageUnavailable`. */
export interface Accounts {
  /** Synchronous when the answer is remembered, that an account does not exist included. */
  get(domain: string, local: string): Account | undefined | Promise<Account | undefined>
  /** Also forgets small values that an earlier account of this name left behind. */
  create(domain: string, local: string, keys: AccountKeys, at: number): Promise<Account | 'exists'>
  /** Replaces all keys, and takes away all tokens. Nothing happens when there is no such account, as with the others that name it by its id. */
  setKeys(id: number, keys: AccountKeys): Promise<void>
  /**
   * Adds keys for hashes that the account has none for, as long as it still has the `known` ones: false when not, since
   * then they are of another password, or it is gone.
   */
  addKeys(id: number, keys: AccountKeys, known: AccountKeys): Promise<boolean>
  disable(id: number, reason: string, at: number): Promise<void>
  enable(id: number): Promise<void>
  setRole(id: number, role: AccountRole | undefined): Promise<void>
  /** Removes the account with its roster, offline messages and small values, all or nothing. */
  remove(id: number): Promise<void>
  /** By localpart in the order of code points, starting behind `after`. */
  list(domain: string, page: AccountPage): Promise<Account[]>
  count(domain: string, which?: AccountKind): Promise<number>
}

/** All, those that may not log in, or those that have a role. */
export type AccountKind = 'all' | 'disabled' | 'with-role'

export interface AccountPage {
  readonly after?: string
  readonly limit: number
  /** Default: all. */
  readonly which?: AccountKind
}
