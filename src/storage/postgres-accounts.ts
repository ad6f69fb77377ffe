/** Accounts and their keys in PostgreSQL. */
import type { AccountName, AccountTable } from './account-cache.js'
import { hasKeys } from './accounts.js'
import type {
  Account,
  AccountKeys,
  AccountKind,
  AccountPage,
  AccountRole,
  ScramHash,
  ScramKeys,
} from './accounts.js'
import type { Database, Transaction } from './database.js'

interface AccountRow extends KeyRow {
  id: number
  domain: string
  local: string
  created: number
  disabled: number | null
  reason: string | null
  role: AccountRole | null
}

interface KeyRow extends Record<string, unknown> {
  /** Null in the one row of an account without keys. */
  hash: ScramHash | null
  salt: Buffer
  iterations: number
  storedKey: Buffer
  serverKey: Buffer
}

const accountColumns = `a.id, a.domain, a.local,
  (extract(epoch FROM a.created_at) * 1000)::bigint AS created,
  (extract(epoch FROM a.disabled_at) * 1000)::bigint AS disabled, a.disabled_reason AS reason, a.role,
  k.hash, k.salt, k.iterations, k.stored_key AS "storedKey", k.server_key AS "serverKey"`

export class PostgresAccounts implements AccountTable {
  readonly #database: Database
  readonly #removed: () => void

  /** `removed` is told when an account has left what is to be removed afterwards. */
  constructor(database: Database, removed: () => void) {
    this.#database = database
    this.#removed = removed
  }

  async get(domain: string, local: string): Promise<Account | undefined> {
    const rows = await this.#database.query<AccountRow>(
      'accounts.get',
      `SELECT ${accountColumns} FROM accounts a LEFT JOIN account_keys k ON k.account = a.id
        WHERE a.domain = $1 AND a.local = $2`,
      [domain, local],
    )
    return accountsFrom(rows)[0]
  }

  async create(domain: string, local: string, keys: AccountKeys, at: number): Promise<Account | 'exists'> {
    return this.#database.transaction(async (transaction) => {
      const [row] = await transaction.query<{ id: number }>(
        'accounts.create',
        `INSERT INTO accounts (domain, local, created_at) VALUES ($1, $2, to_timestamp($3::float8 / 1000))
          ON CONFLICT (domain, local) DO NOTHING RETURNING id`,
        [domain, local, at],
      )
      if (!row) return 'exists'
      await insertKeys(transaction, row.id, keys)
      await deleteValues(transaction, { domain, local })
      return {
        id: row.id,
        domain,
        local,
        keys: { ...keys },
        disabled: undefined,
        role: undefined,
        createdAt: at,
      }
    })
  }

  async setKeys(id: number, keys: AccountKeys): Promise<AccountName | undefined> {
    const work = async (transaction: Transaction) => {
      const [name] = await transaction.query<{ domain: string; local: string }>(
        'accounts.lock',
        'SELECT domain, local FROM accounts WHERE id = $1 FOR UPDATE',
        [id],
      )
      if (!name) return undefined
      await transaction.query('accounts.drop-tokens', 'DELETE FROM tokens WHERE account = $1', [id])
      await transaction.query('accounts.drop-keys', 'DELETE FROM account_keys WHERE account = $1', [id])
      await insertKeys(transaction, id, keys)
      return name
    }
    return this.#database.transaction(work, { repeatable: true })
  }

  async addKeys(id: number, keys: AccountKeys, known: AccountKeys): Promise<AccountName | undefined> {
    const work = async (transaction: Transaction) => {
      const [name] = await transaction.query<AccountName & Record<string, unknown>>(
        'accounts.lock',
        'SELECT domain, local FROM accounts WHERE id = $1 FOR UPDATE',
        [id],
      )
      if (!name) return undefined
      // Read behind the lock: whoever changes the password holds it too.
      const rows = await transaction.query<KeyRow>(
        'accounts.keys',
        `SELECT hash, salt, iterations, stored_key AS "storedKey", server_key AS "serverKey" FROM account_keys
          WHERE account = $1`,
        [id],
      )
      if (!hasKeys(keysFrom(rows), known)) return undefined
      await insertKeys(transaction, id, keys)
      return name
    }
    return this.#database.transaction(work, { repeatable: true })
  }

  async disable(id: number, reason: string, at: number): Promise<AccountName | undefined> {
    const [name] = await this.#database.query<{ domain: string; local: string }>(
      'accounts.disable',
      `UPDATE accounts SET disabled_at = to_timestamp($2::float8 / 1000), disabled_reason = $3
        WHERE id = $1 RETURNING domain, local`,
      [id, at, reason],
      { repeatable: true },
    )
    return name
  }

  async enable(id: number): Promise<AccountName | undefined> {
    const [name] = await this.#database.query<{ domain: string; local: string }>(
      'accounts.enable',
      'UPDATE accounts SET disabled_at = NULL, disabled_reason = NULL WHERE id = $1 RETURNING domain, local',
      [id],
      { repeatable: true },
    )
    return name
  }

  async setRole(id: number, role: AccountRole | undefined): Promise<AccountName | undefined> {
    const [name] = await this.#database.query<{ domain: string; local: string }>(
      'accounts.set-role',
      'UPDATE accounts SET role = $2 WHERE id = $1 RETURNING domain, local',
      [id, role ?? null],
      { repeatable: true },
    )
    return name
  }

  async remove(id: number): Promise<AccountName | undefined> {
    const removed = await this.#database.transaction(async (transaction) => {
      // Keys and roster go with the row; whoever appends an offline message holds a lock on it.
      const [name] = await transaction.query<{ domain: string; local: string }>(
        'accounts.remove',
        'DELETE FROM accounts WHERE id = $1 RETURNING domain, local',
        [id],
      )
      if (!name) return undefined
      await transaction.query('accounts.remove-offline', 'DELETE FROM offline WHERE account = $1', [id])
      // Its archive can be large, and goes in small steps afterwards.
      const leave = 'INSERT INTO archive_removals (owner) VALUES ($1)'
      await transaction.query('accounts.remove-archive', leave, [id])
      await deleteValues(transaction, name)
      return name
    })
    if (removed) this.#removed()
    return removed
  }

  async list(domain: string, { after, limit, which = 'all' }: AccountPage): Promise<Account[]> {
    const rows = await this.#database.query<AccountRow>(
      `accounts.list-${which}`,
      `SELECT ${accountColumns} FROM
        (SELECT * FROM accounts WHERE domain = $1 AND ($2::text IS NULL OR local > $2) ${kinds[which]}
          ORDER BY local LIMIT $3) a
        LEFT JOIN account_keys k ON k.account = a.id ORDER BY a.local`,
      [domain, after ?? null, limit],
    )
    return accountsFrom(rows)
  }

  async count(domain: string, which: AccountKind = 'all'): Promise<number> {
    const sql = `SELECT count(*) AS count FROM accounts WHERE domain = $1 ${kinds[which]}`
    const [row] = await this.#database.query<{ count: number }>(`accounts.count-${which}`, sql, [domain])
    return row?.count ?? 0
  }
}

const kinds: Readonly<Record<AccountKind, string>> = {
  all: '',
  disabled: 'AND disabled_at IS NOT NULL',
  'with-role': 'AND role IS NOT NULL',
}

async function insertKeys(transaction: Transaction, id: number, keys: AccountKeys): Promise<void> {
  for (const [hash, { salt, iterations, storedKey, serverKey }] of Object.entries(keys)) {
    await transaction.query(
      'accounts.insert-key',
      `INSERT INTO account_keys (account, hash, salt, iterations, stored_key, server_key)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
      [id, hash, salt, iterations, storedKey, serverKey],
    )
  }
}

async function deleteValues(transaction: Transaction, { domain, local }: AccountName): Promise<void> {
  const sql = 'DELETE FROM small_values WHERE domain = $1 AND local = $2'
  await transaction.query('accounts.drop-values', sql, [domain, local])
}

function keysFrom(rows: readonly KeyRow[]): AccountKeys {
  const keys: Partial<Record<ScramHash, ScramKeys>> = {}
  for (const { hash, salt, iterations, storedKey, serverKey } of rows)
    if (hash) keys[hash] = ownKeys({ salt, iterations, storedKey, serverKey })
  return keys
}

/** Rows of one account follow each other, one for each of its keys. */
function accountsFrom(rows: readonly AccountRow[]): Account[] {
  const accounts: Account[] = []
  let keys: Partial<Record<ScramHash, ScramKeys>> = {}
  for (const row of rows) {
    const { id, domain, local, created, disabled, reason, role, hash, salt, iterations } = row
    if (accounts.at(-1)?.id !== id) {
      keys = {}
      const lock = disabled === null ? undefined : { reason: reason ?? '', at: disabled }
      accounts.push({ id, domain, local, keys, disabled: lock, role: role ?? undefined, createdAt: created })
    }
    if (hash) keys[hash] = ownKeys({ salt, iterations, storedKey: row.storedKey, serverKey: row.serverKey })
  }
  return accounts
}

/** In memory of their own: as read, the few bytes that stay in the cache would keep a slab of 8 KiB each. */
function ownKeys({ salt, iterations, storedKey, serverKey }: ScramKeys): ScramKeys {
  const [first, second] = [salt.length, salt.length + storedKey.length]
  const bytes = Buffer.allocUnsafeSlow(second + serverKey.length)
  salt.copy(bytes)
  storedKey.copy(bytes, first)
  serverKey.copy(bytes, second)
  return {
    salt: bytes.subarray(0, first),
    iterations,
    storedKey: bytes.subarray(first, second),
    serverKey: bytes.subarray(second),
  }
}
