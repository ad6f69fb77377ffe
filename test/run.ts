/**
 * Runs every compiled test file with Node's own runner; `npm test -- word` runs the files whose path contains it. With
 * PARLEY_TEST_STORES=postgres scenes play on PostgreSQL: one is started for all of them.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { embeddedDatabase } from './contracts/database.js'

const here = dirname(fileURLToPath(import.meta.url))
const wanted = process.argv.slice(2)
const files = readdirSync(here, { recursive: true })
  .map(String)
  .filter((file) => file.endsWith('.test.js') && !file.startsWith('slow'))
  .filter((file) => wanted.length === 0 || wanted.some((word) => file.includes(word)))
  .sort()
  .map((file) => join(here, file))
if (files.length === 0) {
  console.error(`no test file matches ${wanted.join(' ')}`)
  process.exit(1)
}
const env = { ...process.env }
const alone = env['PARLEY_TEST_STORES'] === 'postgres' && !env['PARLEY_TEST_DATABASE_URL']
const database = alone ? await embeddedDatabase() : undefined
if (database && typeof database.connection !== 'string') {
  const { host, user, database: name } = database.connection
  env['PARLEY_TEST_DATABASE_URL'] = `postgres://${user}@${encodeURIComponent(host)}/${name}`
}
// As many files at a time as there are cores: Node leaves one idle. What does not end by itself is ended, and has failed.
const flags = ['--test', '--test-timeout=300000', `--test-concurrency=${Math.max(2, availableParallelism())}`]
const run = spawn(process.execPath, [...flags, '--enable-source-maps', ...files], { stdio: 'inherit', env })
const [status] = (await once(run, 'close')) as [number | null]
await database?.remove()
process.exit(status ?? 1)
