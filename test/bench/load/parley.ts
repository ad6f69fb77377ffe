/** Parley itself, on its embedded PostgreSQL, started as an admin would: limits of rate off, accounts put into its stores. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { realClock } from '../../../src/base/clock.js'
import { Database } from '../../../src/storage/database.js'
import { startEmbedded } from '../../../src/storage/embedded.js'
import { migrate, readMigrations } from '../../../src/storage/migrate.js'
import { openPostgresStores } from '../../../src/storage/postgres.js'
import { deriveKeys, iterations, namesOf, salt, type Hash } from './accounts.js'
import { pool } from './client.js'
import { end, freePort, launch, ready, type Running, type Server, type Setup } from './server.js'

const top = join(import.meta.dirname, '../../../..')
const program = join(top, 'dist/src/main.js')
/** Options of Node for the server, such as --cpu-prof. */
const nodeOptions = (process.env['BENCH_NODE_OPTIONS'] ?? '').split(' ').filter((option) => option !== '')
const unlimited = ['c2s_rate', 'c2s_stanza_rate', 'connections_per_address', 'connection_rate', 's2s_rate']

export const parley: Server = {
  name: 'Parley',
  framing: 'xmpp',
  version: () =>
    existsSync(program)
      ? (JSON.parse(readFileSync(join(top, 'package.json'), 'utf8')) as { version: string }).version
      : undefined,
  does: () => true,
  start,
}

async function start(setup: Setup): Promise<Running> {
  const { directory, certificate, key } = setup
  const data = join(directory, 'data')
  await makeAccounts(data, setup)
  const port = await freePort()
  const management = await freePort()
  const { domains, federation } = setup
  const names = domains.map(({ name }) => name)
  const settings = [
    `domain=${names[0]}`,
    `domains=${JSON.stringify(names.slice(1))}`,
    `data_dir=${data}`,
    'listen.c2s=off',
    `listen.c2s_tls=127.0.0.1:${port}`,
    'listen.s2s=off',
    'listen.s2s_tls=off',
    `listen.management=127.0.0.1:${management}`,
    `tls.certificate=${certificate}`,
    `tls.key=${key}`,
    'log.level=warn',
    `modules.archive.enabled=${setup.archive}`,
    ...(federation
      ? [
          `listen.s2s=127.0.0.1:${federation.port}`,
          `dns.servers=127.0.0.1:${federation.nameServer}`,
          's2s.policy=dialback-ok',
        ]
      : ['listen.s2s=off']),
    'listen.s2s_tls=off',
    ...(setup.rooms
      ? [
          'occupants=2000',
          'rooms_per_account=20000',
          'occupant_rate=off',
          'presence_rate=off',
          'rate=off',
        ].map((one) => `modules.rooms.${one}`)
      : []),
    ...unlimited.map((limit) => `limits.${limit}=off`),
  ].flatMap((setting) => ['--set', setting])
  const log = join(directory, 'parley.log')
  const child = launch(process.execPath, [...nodeOptions, program, 'start', ...settings], log)
  await ready(child, port, setup, log)
  const metrics = `http://127.0.0.1:${management}/metrics`
  return { port, processes: [child.pid ?? 0], metrics, stop: () => end(child) }
}

/** Brings up the embedded database for a moment and fills it. */
async function makeAccounts(data: string, { accounts, domains }: Setup): Promise<void> {
  const postgres = await startEmbedded({ data, clock: realClock, tell: () => undefined })
  const database = new Database({
    connection: postgres.connection,
    clock: realClock,
    connectTimeout: 60_000,
    statementTimeout: 60_000,
  })
  await migrate(database, readMigrations())
  const stores = openPostgresStores(database)
  const keys = { 'SHA-1': keysOf('sha1'), 'SHA-256': keysOf('sha256') }
  const names = namesOf(accounts)
  for (const { name: domain } of domains)
    await pool(names.length, 16, async (index) =>
      stores.accounts.create(domain, names[index] ?? '', keys, realClock.now()),
    )
  await stores.close()
  await database.close()
  await postgres.stop()
}

function keysOf(hash: Hash) {
  const { stored, server } = deriveKeys(hash, salt, iterations)
  return { salt, iterations, storedKey: stored, serverKey: server }
}
