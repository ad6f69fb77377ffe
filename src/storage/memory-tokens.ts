/** Tokens in memory, for tests. */
import { tokenClients, type NewToken, type StoredToken, type TokenClient, type TokenStore } from './tokens.js'

interface Kept extends TokenClient, StoredToken {
  readonly account: number
}

export class MemoryTokens implements TokenStore {
  readonly #hasAccount: (account: number) => boolean
  #tokens: Kept[] = []

  constructor(hasAccount: (account: number) => boolean) {
    this.#hasAccount = hasAccount
  }

  async of(account: number, client: string): Promise<readonly StoredToken[]> {
    const own = this.#tokens.filter((one) => one.account === account && one.id === client)
    return own.map(withoutClient).sort((a, b) => Number(a.used) - Number(b.used))
  }

  async issue(account: number, client: TokenClient, token: NewToken): Promise<boolean> {
    if (!this.#hasAccount(account)) return false
    const stays = (one: Kept) => one.expiresAt > token.issuedAt && (one.id !== client.id || one.used)
    this.#tokens = this.#tokens.filter((one) => one.account !== account || stays(one))
    const last = new Map<string, number>()
    for (const { id, expiresAt, account: of } of this.#tokens)
      if (of === account && id !== client.id) last.set(id, Math.max(last.get(id) ?? 0, expiresAt))
    const others = [...last].sort((a, b) => b[1] - a[1])
    for (const [id] of others.slice(tokenClients - 1)) await this.revoke(account, id)
    this.#tokens.push({ account, ...client, ...token, used: false, count: 0 })
    return true
  }

  async use(account: number, client: string, seed: Buffer, count?: number): Promise<boolean> {
    const isIt = (one: Kept) => one.account === account && one.id === client && one.seed.equals(seed)
    const used = this.#tokens.find(isIt)
    if (!used || (count !== undefined && count <= used.count)) return false
    const isBefore = (one: Kept) =>
      one.account === account && one.id === client && one !== used && one.expiresAt <= used.expiresAt
    this.#tokens = this.#tokens
      .filter((one) => !isBefore(one))
      .map((one) => (one === used ? { ...one, used: true, count: count ?? one.count } : one))
    return true
  }

  async revoke(account: number, client?: string): Promise<number> {
    const goes = (one: Kept) => one.account === account && (client === undefined || one.id === client)
    const gone = new Set(this.#tokens.filter(goes).map(({ id }) => id))
    this.#tokens = this.#tokens.filter((one) => !goes(one))
    return gone.size
  }

  async list(account: number): Promise<readonly (TokenClient & StoredToken)[]> {
    const own = this.#tokens.filter((one) => one.account === account)
    return own
      .map(({ id, software, device, ...rest }) => ({ id, software, device, ...withoutClient(rest) }))
      .sort((a, b) => b.issuedAt - a.issuedAt)
  }
}

function withoutClient({ seed, mechanism, issuedAt, expiresAt, used, count }: StoredToken): StoredToken {
  return { seed, mechanism, issuedAt, expiresAt, used, count }
}
