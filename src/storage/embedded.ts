/** The PostgreSQL that we start ourselves when no URL is given, and keep running until we stop. */
import type { FileHandle } from 'node:fs/promises'
import { mkdtemp, open, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import pg from 'pg'
import type { Clock } from '../base/clock.js'
import { pause } from '../base/clock.js'
import { system } from '../base/system.js'
import type { Cluster } from './cluster.js'
import { openCluster, removeLeftovers } from './cluster.js'
import { socketDefaults } from './database.js'
import { StorageRefused } from './errors.js'
import { classify, reasonOf } from './failure.js'
import type { Started } from './postmaster.js'
import { askToStop, hasEnded, runningIn, startPostgres } from './postmaster.js'

export interface EmbeddedOptions {
  /** The server's data directory; the database lives in `postgres/` inside it. */
  readonly data: string
  readonly clock: Clock
  /** Gets one line for what the admin should know: first start, restarts. */
  readonly tell: (line: string) => void
  /** Aborted when the start is no longer wanted: it rejects with the signal's reason and leaves nothing running. */
  readonly signal?: AbortSignal
}

export interface EmbeddedPostgres {
  /** For `Database`. Survives restarts of PostgreSQL, not `stop`. */
  readonly connection: { readonly host: string; readonly user: string; readonly database: string }
  /** Shuts PostgreSQL down cleanly, once all connections to it are closed or 25 s are over. */
  stop(): Promise<void>
}

/** Held in the database by the one server that uses it: no two servers share a data directory. */
const ownerLock = 0x6f776e6572
const user = 'parley'
const database = 'postgres'
/** sun_path of Linux holds 107 bytes and a zero; other systems 103. */
const longestSocketPath = 103
const startAtMost = 60_000
const connectAtMost = 5000
/** For PostgreSQL to notice that the server before us was killed. */
const deadAtMost = 10_000
const stopAtMost = 25_000

/**
 * Starts PostgreSQL on `<data>/postgres`, made at first start, or takes over one that a killed server left running.
 * Throws `StorageRefused` when that cannot be: no package for this platform, another major version, another server.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const cluster = await openCluster(resolve(options.data), options.tell)
  const postgres = new Supervised(cluster, options, await shortPath(cluster.path))
  try {
    await postgres.start(options.signal)
    await removeLeftovers(cluster)
  } catch (error) {
    await postgres.abandon()
    throw error
  }
  return postgres
}

class Supervised implements EmbeddedPostgres {
  readonly connection: { readonly host: string; readonly user: string; readonly database: string }
  readonly #cluster: Cluster
  readonly #clock: Clock
  readonly #tell: (line: string) => void
  readonly #door: Door
  /** Holds the owner's lock; its end is how we learn that PostgreSQL is gone. */
  #guard: pg.Client | undefined
  /** The one that we started, until a guard stands: then it is known whom it serves. */
  #started: Started | undefined
  #stopping = false

  constructor(cluster: Cluster, { clock, tell }: EmbeddedOptions, door: Door) {
    this.#cluster = cluster
    this.#clock = clock
    this.#tell = tell
    this.#door = door
    this.connection = { host: door.path, user, database }
  }

  /**
   * Tries the door first: who answers there is the database, whatever its pid file says, which names a stranger when it
   * was written in another container. The guard's lock then decides whose it is.
   */
  async start(signal?: AbortSignal): Promise<void> {
    const begun = this.#clock.now()
    const end = begun + startAtMost
    for (;;) {
      signal?.throwIfAborted()
      try {
        if (await this.#standGuard(this.#clock.now() < begun + deadAtMost)) return
        await pause(this.#clock, 50)
        continue
      } catch (error) {
        // Starting up, shutting down, or not there.
        if (error instanceof StorageRefused || classify(error) !== 'lost') throw error
        if (this.#clock.now() > end) throw this.#failed(reasonOf(error))
      }
      if (this.#started?.ended) {
        const reason = await this.#started.reason()
        this.#started = undefined
        if (reason !== 'occupied') throw reason
      }
      if (this.#started || (await runningIn(this.#cluster))) await pause(this.#clock, 10)
      else this.#started = await startPostgres(this.#cluster, () => pause(this.#clock, 10))
    }
  }

  async stop(): Promise<void> {
    if (this.#stopping) return
    this.#stopping = true
    await this.#guard?.end()
    const running = await runningIn(this.#cluster)
    if (running) await this.#shutDown(running)
    await this.#door.close()
  }

  /** After a failed start: stops what we started; somebody else's stays as it is. */
  async abandon(): Promise<void> {
    this.#stopping = true
    await this.#guard?.end()
    if (this.#started && !this.#started.ended) await this.#shutDown(this.#started.pid)
    await this.#door.close()
  }

  async #shutDown(pid: number): Promise<void> {
    askToStop(pid)
    const end = this.#clock.now() + stopAtMost
    while (!(await hasEnded(pid)) && this.#clock.now() < end) await pause(this.#clock, 5)
  }

  /** False: the guard before us is dead, and PostgreSQL has not noticed yet; only when `patient`. */
  async #standGuard(patient: boolean): Promise<boolean> {
    const guard = new pg.Client({
      ...socketDefaults,
      ...this.connection,
      application_name: `parley ${system.pid}`,
      connectionTimeoutMillis: connectAtMost,
    })
    guard.on('error', () => {})
    await guard.connect()
    const { rows } = await guard.query<{ mine: boolean }>(`SELECT pg_try_advisory_lock(${ownerLock}) AS mine`)
    if (!rows[0]?.mine) {
      const owner = await guard.query<{ name: string }>(
        `SELECT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid)
          WHERE locktype = 'advisory' AND objid = (${ownerLock} & x'ffffffff'::bigint)::oid`,
      )
      await guard.end()
      this.#started = undefined
      const [, pid] = (owner.rows[0]?.name ?? '').split(' ')
      if (patient && (!pid || (await hasEnded(Number(pid))))) return false
      throw new StorageRefused(
        `another Parley${pid ? ` (process ${pid})` : ''} is using ${this.#cluster.path}`,
        'stop it first, or give this one another data directory',
      )
    }
    this.#guard = guard
    this.#started = undefined
    guard.on('end', () => void this.#revive())
    return true
  }

  /** PostgreSQL went away under us: start it again, a second apart, for as long as it takes. */
  async #revive(): Promise<void> {
    while (!this.#stopping) {
      if (!(await runningIn(this.#cluster)))
        this.#tell(`the embedded PostgreSQL has stopped (see ${this.#cluster.log}); starting it again`)
      try {
        await this.start()
        return
      } catch (error) {
        this.#tell(reasonOf(error))
        await pause(this.#clock, 1000)
      }
    }
  }

  #failed(reason: string): StorageRefused {
    return new StorageRefused(
      `the embedded PostgreSQL does not answer: ${reason}`,
      `see ${this.#cluster.log}, or set database.url to a PostgreSQL of your own`,
    )
  }
}

/** A path to the socket's folder that is short enough to connect to. */
interface Door {
  readonly path: string
  close(): Promise<void>
}

async function shortPath(folder: string): Promise<Door> {
  if (Buffer.byteLength(join(folder, '.s.PGSQL.5432')) <= longestSocketPath)
    return { path: folder, close: async () => {} }
  if (system.platform === 'linux') {
    // An open folder has a short name for this process, and no cleaner of /tmp can take it away.
    const handle: FileHandle = await open(folder)
    return { path: `/proc/self/fd/${handle.fd}`, close: () => handle.close() }
  }
  const path = join(await mkdtemp(join(tmpdir(), 'parley-')), 's')
  await symlink(folder, path)
  return { path, close: async () => {} }
}
