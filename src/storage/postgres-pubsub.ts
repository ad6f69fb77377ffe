/** Pubsub nodes and items in PostgreSQL. Each operation is one statement, or a part of one. */
import type { Clock } from '../base/clock.js'
import type { Database } from './database.js'
import { Publications } from './postgres-publications.js'
import type {
  ItemRecord,
  NewNode,
  NodeChange,
  NodeRecord,
  Published,
  PubsubStore,
  Room,
  SubscriptionRecord,
} from './pubsub.js'

interface NodeRow extends Record<string, unknown> {
  id: number
  service: string
  name: string
  creator: string
  created: number
  config: Record<string, unknown>
  affiliations: [string, string][] | null
  subscriptions: [string, SubscriptionRecord['state'], boolean][] | null
}

interface ItemRow extends Record<string, unknown> {
  node: number
  id: string
  publisher: string
  at: number
  payload: string
}

const itemColumns = `i.node, i.id, i.publisher, (extract(epoch FROM i.at) * 1000)::bigint AS at, i.payload`
/** `$now` in milliseconds; of a join of items i and nodes n. */
const alive = ($now: string) =>
  `(n.expire IS NULL OR i.at + n.expire * interval '1 second' > to_timestamp(${$now}::float8 / 1000))`

export class PostgresPubsub implements PubsubStore {
  readonly #database: Database
  readonly #publications: Publications

  constructor(database: Database, { clock }: { clock: Clock }) {
    this.#database = database
    this.#publications = new Publications(database, clock)
  }

  /** Writes what waits to be written. */
  close(): Promise<void> {
    return this.#publications.close()
  }

  async create(node: NewNode, most: number): Promise<number | 'exists' | 'full' | 'nobody'> {
    const { service, account, name, creator, createdAt, config, expire, affiliations } = node
    // The account is locked against its removal, as by a foreign key, but without an error when it is gone.
    const [row] = await this.#database.query<{ id: number | null; count: number; there: boolean }>(
      'pubsub.create',
      `WITH owner AS (SELECT id FROM accounts WHERE id = $2 FOR KEY SHARE),
        counted AS (SELECT count(*) AS count FROM pubsub_nodes WHERE service = $1),
        made AS (
          INSERT INTO pubsub_nodes (service, account, name, creator, created_at, config, expire)
            SELECT $1, $2, $3, $4, to_timestamp($5::float8 / 1000), $6, $7 FROM counted
            WHERE count < $8 AND ($2::bigint IS NULL OR EXISTS (SELECT FROM owner))
            ON CONFLICT (service, name) DO NOTHING RETURNING id),
        affiliated AS (
          INSERT INTO pubsub_affiliations (node, jid, affiliation)
            SELECT made.id, a.jid, a.affiliation FROM made, unnest($9::text[], $10::text[]) AS a (jid, affiliation))
        SELECT (SELECT id FROM made) AS id, counted.count,
          $2::bigint IS NULL OR EXISTS (SELECT FROM owner) AS there FROM counted`,
      [
        service,
        account ?? null,
        name,
        creator,
        createdAt,
        JSON.stringify(config),
        expire ?? null,
        most,
        affiliations.map(([jid]) => jid),
        affiliations.map(([, affiliation]) => affiliation),
      ],
    )
    if (!row) throw new Error('the count of nodes gave no row')
    if (row.id !== null) return row.id
    if (!row.there) return 'nobody'
    return (await this.load([service], name)).length > 0 ? 'exists' : 'full'
  }

  async load(services: readonly string[], name?: string): Promise<NodeRecord[]> {
    const rows = await this.#database.query<NodeRow>(
      'pubsub.load',
      `SELECT n.id, n.service, n.name, n.creator, (extract(epoch FROM n.created_at) * 1000)::bigint AS created, n.config,
          (SELECT json_agg(json_build_array(jid, affiliation) ORDER BY jid)
             FROM pubsub_affiliations WHERE node = n.id) AS affiliations,
          (SELECT json_agg(json_build_array(jid, state, deliver) ORDER BY jid)
             FROM pubsub_subscriptions WHERE node = n.id) AS subscriptions
        FROM pubsub_nodes n WHERE n.service = ANY ($1) AND ($2::text IS NULL OR n.name = $2) ORDER BY n.service, n.name`,
      [services, name ?? null],
    )
    return rows.map(({ id, service, name, creator, created, config, affiliations, subscriptions }) => ({
      id,
      service,
      name,
      creator,
      createdAt: created,
      config,
      affiliations: affiliations ?? [],
      subscriptions: (subscriptions ?? []).map(([jid, state, deliver]) => ({ jid, state, deliver })),
    }))
  }

  async change(node: number, change: NodeChange): Promise<boolean> {
    const { config, expire, affiliations = [], subscriptions = [] } = change
    const kept = subscriptions.flatMap(([, subscription]) => subscription ?? [])
    const given = affiliations.flatMap(([jid, affiliation]) =>
      affiliation === undefined ? [] : [[jid, affiliation] as const],
    )
    const rows = await this.#database.query(
      'pubsub.change',
      `WITH found AS (
          UPDATE pubsub_nodes SET config = coalesce($2::json, config),
            expire = CASE WHEN $2::json IS NULL THEN expire ELSE $3 END WHERE id = $1 RETURNING id),
        unaffiliated AS (
          DELETE FROM pubsub_affiliations USING found WHERE node = found.id AND jid = ANY ($4)),
        affiliated AS (
          INSERT INTO pubsub_affiliations (node, jid, affiliation)
            SELECT found.id, a.jid, a.affiliation FROM found, unnest($5::text[], $6::text[]) AS a (jid, affiliation)
            ON CONFLICT (node, jid) DO UPDATE SET affiliation = EXCLUDED.affiliation),
        unsubscribed AS (
          DELETE FROM pubsub_subscriptions USING found WHERE node = found.id AND jid = ANY ($7)),
        subscribed AS (
          INSERT INTO pubsub_subscriptions (node, jid, state, deliver)
            SELECT found.id, s.jid, s.state, s.deliver
            FROM found, unnest($8::text[], $9::text[], $10::boolean[]) AS s (jid, state, deliver)
            ON CONFLICT (node, jid) DO UPDATE SET state = EXCLUDED.state, deliver = EXCLUDED.deliver)
        SELECT id FROM found`,
      [
        node,
        config === undefined ? null : JSON.stringify(config),
        expire ?? null,
        affiliations.filter(([, affiliation]) => affiliation === undefined).map(([jid]) => jid),
        given.map(([jid]) => jid),
        given.map(([, affiliation]) => affiliation),
        subscriptions.filter(([, subscription]) => subscription === undefined).map(([jid]) => jid),
        kept.map(({ jid }) => jid),
        kept.map(({ state }) => state),
        kept.map(({ deliver }) => deliver),
      ],
      { repeatable: true },
    )
    return rows.length > 0
  }

  async remove(node: number): Promise<boolean> {
    const sql = 'DELETE FROM pubsub_nodes WHERE id = $1 RETURNING id'
    return (await this.#database.query('pubsub.remove', sql, [node])).length > 0
  }

  publish(node: number, items: readonly ItemRecord[], room: Room): Promise<Published> {
    return this.#publications.add(node, items, room)
  }

  async retract(node: number, ids: readonly string[], publisher?: string): Promise<string[]> {
    const rows = await this.#database.query<{ id: string }>(
      'pubsub.retract',
      `DELETE FROM pubsub_items WHERE node = $1 AND id = ANY ($2) AND ($3::text IS NULL OR publisher = $3) RETURNING id`,
      [node, ids, publisher ?? null],
    )
    return rows.map(({ id }) => id)
  }

  async purge(node: number): Promise<void> {
    const sql = 'DELETE FROM pubsub_items WHERE node = $1'
    await this.#database.query('pubsub.purge', sql, [node], { repeatable: true })
  }

  async index(node: number, now: number): Promise<{ id: string; bytes: number }[]> {
    return this.#database.query<{ id: string; bytes: number }>(
      'pubsub.index',
      `SELECT i.id, i.bytes FROM pubsub_items i JOIN pubsub_nodes n ON n.id = i.node
        WHERE i.node = $1 AND ${alive('$2')} ORDER BY i.serial`,
      [node, now],
    )
  }

  async items(node: number, ids: readonly string[], now: number): Promise<ItemRecord[]> {
    const rows = await this.#database.query<ItemRow>(
      'pubsub.items',
      `SELECT ${itemColumns} FROM pubsub_items i JOIN pubsub_nodes n ON n.id = i.node
        WHERE i.node = $1 AND i.id = ANY ($2) AND ${alive('$3')} ORDER BY i.serial`,
      [node, ids, now],
    )
    return rows.map(({ id, publisher, at, payload }) => ({ id, publisher, at, payload }))
  }

  async newest(nodes: readonly number[], now: number): Promise<(ItemRecord & { node: number })[]> {
    return this.#database.query<ItemRow>(
      'pubsub.newest',
      `SELECT ${itemColumns} FROM unnest($1::bigint[]) AS wanted (node) CROSS JOIN LATERAL (
          SELECT * FROM pubsub_items WHERE node = wanted.node ORDER BY serial DESC LIMIT 1) i
        JOIN pubsub_nodes n ON n.id = i.node WHERE ${alive('$2')} ORDER BY i.node`,
      [nodes, now],
    )
  }

  async removeExpired(now: number): Promise<void> {
    await this.#database.query(
      'pubsub.remove-expired',
      `DELETE FROM pubsub_items i USING pubsub_nodes n
        WHERE n.id = i.node AND n.expire IS NOT NULL AND NOT ${alive('$1')}`,
      [now],
      { repeatable: true },
    )
  }
}
