/** Remembers accounts in front of the database, so that a login or a delivery seldom waits for it. */
import { Lru } from '../base/lru.js'
import type { Account, AccountKeys, AccountKind, AccountPage, AccountRole, Accounts } from './accounts.js'

/** The store behind: `get` always asks, and what removes or changes an account says which one it was. */
export interface AccountTable {
  get(domain: string, local: string): Promise<Account | undefined>
  create(domain: string, local: string, keys: AccountKeys, at: number): Promise<Account | 'exists'>
  setKeys(id: number, keys: AccountKeys): Promise<AccountName | undefined>
  addKeys(id: number, keys: AccountKeys, known: AccountKeys): Promise<AccountName | undefined>
  disable(id: number, reason: string, at: number): Promise<AccountName | undefined>
  enable(id: number): Promise<AccountName | undefined>
  setRole(id: number, role: AccountRole | undefined): Promise<AccountName | undefined>
  remove(id: number): Promise<AccountName | undefined>
  list(domain: string, page: AccountPage): Promise<Account[]>
  count(domain: string, which?: AccountKind): Promise<number>
}

export interface AccountName {
  readonly domain: string
  readonly local: string
}

export class CachedAccounts implements Accounts {
  readonly #table: AccountTable
  readonly #ended: (account: number) => void
  readonly #known: Lru<string, Account>
  /** Names that nobody has: apart, so that a guesser of names pushes out only guesses. */
  readonly #absent: Lru<string, true>
  readonly #asking = new Map<string, Promise<Account | undefined>>()
  /** Counts changes: an answer that was under way during one is not kept. */
  #changes = 0

  /** `ended` is told of an account whose keys were replaced, or that was removed: what was given for them is void. */
  constructor(
    table: AccountTable,
    bounds = { known: 50_000, absent: 10_000 },
    ended: (account: number) => void = () => undefined,
  ) {
    this.#table = table
    this.#ended = ended
    this.#known = new Lru(bounds.known)
    this.#absent = new Lru(bounds.absent)
  }

  /** Accounts remembered, and names that nobody has. */
  get sizes(): { readonly known: number; readonly absent: number } {
    return { known: this.#known.size, absent: this.#absent.size }
  }

  get(domain: string, local: string): Account | undefined | Promise<Account | undefined> {
    const name = `${local}@${domain}`
    const known = this.#known.get(name)
    if (known) return known
    if (this.#absent.get(name)) return undefined
    const asking = this.#asking.get(name)
    if (asking) return asking
    const asked = this.#ask(name, domain, local).finally(() => {
      if (this.#asking.get(name) === asked) this.#asking.delete(name)
    })
    this.#asking.set(name, asked)
    return asked
  }

  async create(domain: string, local: string, keys: AccountKeys, at: number): Promise<Account | 'exists'> {
    return this.#changing({ domain, local }, () => this.#table.create(domain, local, keys, at))
  }

  async setKeys(id: number, keys: AccountKeys): Promise<void> {
    await this.#change(() => this.#table.setKeys(id, keys)).finally(() => this.#ended(id))
  }

  addKeys(id: number, keys: AccountKeys, known: AccountKeys): Promise<boolean> {
    return this.#change(() => this.#table.addKeys(id, keys, known))
  }

  async disable(id: number, reason: string, at: number): Promise<void> {
    await this.#change(() => this.#table.disable(id, reason, at))
  }

  async enable(id: number): Promise<void> {
    await this.#change(() => this.#table.enable(id))
  }

  async setRole(id: number, role: AccountRole | undefined): Promise<void> {
    await this.#change(() => this.#table.setRole(id, role))
  }

  async remove(id: number): Promise<void> {
    await this.#change(() => this.#table.remove(id)).finally(() => this.#ended(id))
  }

  list(domain: string, page: AccountPage): Promise<Account[]> {
    return this.#table.list(domain, page)
  }

  count(domain: string, which?: AccountKind): Promise<number> {
    return this.#table.count(domain, which)
  }

  async #ask(name: string, domain: string, local: string): Promise<Account | undefined> {
    const changes = this.#changes
    const account = await this.#table.get(domain, local)
    if (changes !== this.#changes) return account
    if (account) this.#known.set(name, account)
    else this.#absent.set(name, true)
    return account
  }

  async #change(work: () => Promise<AccountName | undefined>): Promise<boolean> {
    try {
      const name = await work()
      if (name) this.#forget(name)
      return name !== undefined
    } catch (error) {
      // Perhaps it happened, and to whom is unknown.
      this.#known.clear()
      this.#changed()
      throw error
    }
  }

  async #changing<T>(name: AccountName, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } finally {
      this.#forget(name)
    }
  }

  #forget({ domain, local }: AccountName): void {
    const name = `${local}@${domain}`
    this.#known.delete(name)
    this.#absent.delete(name)
    this.#changed()
  }

  /** Whoever asks from now on must not join a question from before. */
  #changed(): void {
    this.#changes++
    this.#asking.clear()
  }
}
