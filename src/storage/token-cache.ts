/** Remembers the tokens of clients in front of the database, so that most logins with one do not wait for it. */
import { Lru } from '../base/lru.js'
import type { NewToken, StoredToken, TokenClient, TokenStore } from './tokens.js'

export class CachedTokens implements TokenStore {
  readonly #table: TokenStore
  /** By account, then by client. */
  readonly #known: Lru<number, Map<string, readonly StoredToken[]>>
  /** Counts changes: an answer that was under way during one is not kept. */
  #changes = 0

  constructor(table: TokenStore, accounts = 20_000) {
    this.#table = table
    this.#known = new Lru(accounts)
  }

  /** Accounts with clients that are remembered. */
  get size(): number {
    return this.#known.size
  }

  async of(account: number, client: string): Promise<readonly StoredToken[]> {
    const known = this.#known.get(account)?.get(client)
    if (known) return known
    const changes = this.#changes
    const tokens = await this.#table.of(account, client)
    // Those without one are not worth it: nobody logs in with none.
    if (tokens.length === 0 || changes !== this.#changes) return tokens
    const clients = this.#known.get(account) ?? new Map<string, readonly StoredToken[]>()
    this.#known.set(account, clients.set(client, tokens))
    return tokens
  }

  issue(account: number, client: TokenClient, token: NewToken): Promise<boolean> {
    return this.#change(account, () => this.#table.issue(account, client, token))
  }

  use(account: number, client: string, seed: Buffer, count?: number): Promise<boolean> {
    return this.#change(account, () => this.#table.use(account, client, seed, count))
  }

  revoke(account: number, client?: string): Promise<number> {
    return this.#change(account, () => this.#table.revoke(account, client))
  }

  list(account: number): Promise<readonly (TokenClient & StoredToken)[]> {
    return this.#table.list(account)
  }

  async #change<T>(account: number, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } finally {
      this.forget(account)
    }
  }

  /** Those of the account may have changed. */
  forget(account: number): void {
    this.#known.delete(account)
    this.#changes++
  }
}
