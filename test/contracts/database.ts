/** Databases for tests: empty ones that can be thrown away. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { realClock } from '../../src/base/clock.js'
import { systemRandom } from '../../src/base/random.js'
import type { DatabaseOptions } from '../../src/storage/database.js'
import { startEmbedded } from '../../src/storage/embedded.js'

export interface TestDatabase {
  readonly connection: Exclude<DatabaseOptions['connection'], string> | string
  remove(): Promise<void>
}

/** A folder of its own under the system's temporary one. */
export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'parley-test-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

export async function embeddedDatabase(): Promise<TestDatabase> {
  const folder = await temporaryFolder()
  const postgres = await startEmbedded({ data: folder.path, clock: realClock, tell: () => {} })
  return {
    connection: postgres.connection,
    remove: async () => {
      await postgres.stop()
      await folder.remove()
    },
  }
}

/** A new database on the server of `url`, whose user must be allowed to create one. */
export async function freshDatabase(url: string): Promise<TestDatabase> {
  const name = `parley_test_${systemRandom.bytes(6).toString('hex')}`
  const admin = new pg.Client(url)
  await admin.connect()
  await admin.query(`CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8'`)
  // Nothing of it has to survive a crash.
  await admin.query(`ALTER DATABASE ${name} SET synchronous_commit = off`)
  const connection = new URL(url)
  connection.pathname = `/${name}`
  return {
    connection: connection.href,
    remove: async () => {
      await admin.query(`DROP DATABASE ${name} WITH (FORCE)`)
      await admin.end()
    },
  }
}
