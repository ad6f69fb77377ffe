/** Small JSON values in PostgreSQL. */
import type { Database } from './database.js'
import type { MapStore } from './map.js'
import { splitKey } from './map.js'

export class PostgresMap<T> implements MapStore<T> {
  readonly #database: Database
  readonly #domain: string
  readonly #module: string

  constructor(database: Database, domain: string, module: string) {
    this.#database = database
    this.#domain = domain
    this.#module = module
  }

  async get(key: string): Promise<T | undefined> {
    const [row] = await this.#database.query<{ value: string }>(
      'values.get',
      // As text: we parse it as we wrote it.
      `SELECT value::text AS value FROM small_values
        WHERE domain = $1 AND local = $2 AND module = $3 AND key = $4`,
      this.#place(key),
    )
    return row && (JSON.parse(row.value) as T)
  }

  async set(key: string, value: T): Promise<void> {
    await this.#database.query(
      'values.set',
      `INSERT INTO small_values (domain, local, module, key, value) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (domain, local, module, key) DO UPDATE SET value = EXCLUDED.value`,
      [...this.#place(key), JSON.stringify(value)],
      { repeatable: true },
    )
  }

  async keep(key: string, value: T): Promise<T> {
    await this.#database.query(
      'values.keep',
      `INSERT INTO small_values (domain, local, module, key, value) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (domain, local, module, key) DO NOTHING`,
      [...this.#place(key), JSON.stringify(value)],
      { repeatable: true },
    )
    // Undefined when it was deleted in between: then ours is as good as any.
    return (await this.get(key)) ?? value
  }

  async setMany(values: ReadonlyMap<string, T>): Promise<void> {
    if (values.size === 0) return
    const keys = [...values.keys()].map(splitKey)
    await this.#database.query(
      'values.set-many',
      `INSERT INTO small_values (domain, module, local, key, value)
        SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::json[])
        ON CONFLICT (domain, local, module, key) DO UPDATE SET value = EXCLUDED.value`,
      [
        this.#domain,
        this.#module,
        keys.map(({ local }) => local),
        keys.map(({ rest }) => rest),
        [...values.values()].map((value) => JSON.stringify(value)),
      ],
      { repeatable: true },
    )
  }

  async delete(key: string): Promise<void> {
    await this.#database.query(
      'values.delete',
      'DELETE FROM small_values WHERE domain = $1 AND local = $2 AND module = $3 AND key = $4',
      this.#place(key),
      { repeatable: true },
    )
  }

  #place(key: string): string[] {
    const { local, rest } = splitKey(key)
    return [this.#domain, local, this.#module, rest]
  }
}
