/** Who is in which room, written to PostgreSQL some time later: only the latest word about an address counts. */
import type { Clock, Timer } from '../base/clock.js'
import type { Database } from './database.js'
import type { RoomOccupant } from './rooms.js'

/** Milliseconds that changes wait for company, and after a failure. */
const delay = 1000
const againAfter = 5000
/** Changes in one statement, and changes that wait at most: beyond them the news is not written. */
const atOnce = 1000
const most = 100_000

interface Change {
  readonly room: number
  readonly jid: string
  readonly nick: string | undefined
}

export class RoomOccupants {
  readonly #database: Database
  readonly #clock: Clock
  #changes = new Map<string, Change>()
  #timer: Timer | undefined
  #writing: Promise<void> | undefined
  #failed = false
  #closed = false

  constructor(database: Database, clock: Clock) {
    this.#database = database
    this.#clock = clock
  }

  get waiting(): number {
    return this.#changes.size
  }

  note(room: number, jid: string, nick: string | undefined): void {
    const key = `${room} ${jid}`
    if (this.#closed || (this.#changes.size >= most && !this.#changes.has(key))) return
    this.#changes.set(key, { room, jid, nick })
    if (this.#changes.size >= atOnce) this.#write()
    else this.#wait(delay)
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#writing
    this.#write()
    await this.#writing
  }

  /** What waits is written first. */
  async read(
    domain: string,
    after: Pick<RoomOccupant, 'room' | 'jid'> | undefined,
    limit: number,
  ): Promise<RoomOccupant[]> {
    this.#write()
    await this.#writing
    return this.#database.query<RoomOccupant & Record<string, unknown>>(
      'rooms.occupants',
      `SELECT o.room, r.local, o.jid, o.nick FROM room_occupants o JOIN rooms r ON r.id = o.room
        WHERE r.domain = $1 AND (o.room, o.jid) > ($2::bigint, $3::text) ORDER BY o.room, o.jid LIMIT $4`,
      [domain, after?.room ?? 0, after?.jid ?? '', limit],
    )
  }

  #wait(ms: number): void {
    if (this.#writing) return
    this.#timer ??= this.#clock.after(ms, () => this.#write())
  }

  #write(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#writing ??= this.#writeAll().finally(() => {
      this.#writing = undefined
      if (this.#changes.size > 0 && !this.#closed) this.#wait(this.#failed ? againAfter : delay)
    })
  }

  async #writeAll(): Promise<void> {
    this.#failed = false
    while (this.#changes.size > 0 && !this.#failed) {
      const batch = [...this.#changes].slice(0, atOnce)
      for (const [key] of batch) this.#changes.delete(key)
      try {
        await this.#store(batch.map(([, change]) => change))
      } catch {
        // The database is away: they are written later, unless there is newer word of them.
        this.#failed = true
        this.#changes = new Map([...batch, ...this.#changes])
      }
    }
  }

  /** Rooms that are gone meanwhile are passed over; those that are there stay until this is committed. */
  async #store(changes: readonly Change[]): Promise<void> {
    const present = changes.filter(({ nick }) => nick !== undefined)
    const gone = changes.filter(({ nick }) => nick === undefined)
    await this.#database.query(
      'rooms.occupy',
      `WITH there AS (SELECT id FROM rooms WHERE id = ANY ($1::bigint[]) ORDER BY id FOR KEY SHARE),
        gone AS (
          DELETE FROM room_occupants o USING unnest($4::bigint[], $5::text[]) AS g (room, jid)
            WHERE o.room = g.room AND o.jid = g.jid)
        INSERT INTO room_occupants (room, jid, nick)
          SELECT p.room, p.jid, p.nick FROM unnest($1::bigint[], $2::text[], $3::text[]) AS p (room, jid, nick)
            JOIN there ON there.id = p.room
          ON CONFLICT (room, jid) DO UPDATE SET nick = EXCLUDED.nick`,
      [
        present.map(({ room }) => room),
        present.map(({ jid }) => jid),
        present.map(({ nick }) => nick),
        gone.map(({ room }) => room),
        gone.map(({ jid }) => jid),
      ],
      { repeatable: true },
    )
  }
}
