/** Starts that cannot be: one clear message with what to do, the right exit code, and nothing left running. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import pg from 'pg'
import type { Launch } from './support/server.js'
import { Parley, refused, run, temporaryFolder } from './support/server.js'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
/** A server that runs, whose database and ports the others collide with. */
let running: Parley
before(async () => {
  folder = await temporaryFolder()
  const home = join(folder.path, 'running')
  mkdirSync(home)
  running = await Parley.start({ folder: home, set: ['listen.c2s_plain=127.0.0.1:0'] })
})
after(async () => {
  await running.stop()
  await folder.remove()
})

const home = () => mkdtempSync(join(folder.path, 'home-'))

/** A start in a folder of its own, unless told otherwise. */
function refusal(launch: Partial<Launch>): Promise<string> {
  return refused({ folder: home(), ...launch }, launch.folder !== running.folder)
}

/** A database of the running server, as one would name it from outside. */
function url(database: string): string {
  return `postgres://parley@${encodeURIComponent(join(running.data, 'postgres'))}/${database}`
}

async function createDatabase(name: string, script = ''): Promise<string> {
  const admin = new pg.Client(url('postgres'))
  await admin.connect()
  await admin.query(`CREATE DATABASE ${name} TEMPLATE template0`)
  await admin.end()
  if (script !== '') {
    const own = new pg.Client(url(name))
    await own.connect()
    await own.query(script)
    await own.end()
  }
  return url(name)
}

describe('refused:', { concurrency: 3 }, () => {
  test('a taken port, of each kind', async () => {
    const database = await createDatabase('ports')
    const kinds = [
      ['c2s', 'STARTTLS', database],
      ['c2s_tls', 'TLS at once', database],
      ['c2s_plain', 'no TLS', database],
      // With an embedded one, which has to be gone again.
      ['management', 'HTTP', undefined],
    ] as const
    const told = kinds.map(async ([key, kind, url]) => {
      const folder = home()
      // One that is not the first: it finds out when all else is there.
      if (!url) mkdirSync(join(folder, 'data'))
      const port = running.port(kind)
      const set = [`listen.${key}=127.0.0.1:${port}`, ...(url ? [`database.url=${url}`] : [])]
      assert.equal(
        await refusal({ folder, set }),
        `parley: cannot listen on 127.0.0.1:${port}: another program does already
   fix  stop it (ss -ltnp 'sport = :${port}' names it), or choose another port under [listen]`,
      )
      // A first start that cannot be leaves nothing behind.
      if (url) assert.deepEqual(readdirSync(folder), [])
    })
    await Promise.all(told)
  })

  test('a second server on the same data directory', async () => {
    assert.match(
      await refusal({ folder: running.folder }),
      new RegExp(
        `^parley: another Parley \\(process ${running.pid}\\) is using HOME/data/postgres\n   fix  stop it first, or give this one another data directory$`,
      ),
    )
    assert.equal((await running.cli(['health'])).code, 0)
  })

  test('certificates: a missing one, a broken one, a key of another, one for other names', async () => {
    const database = await createDatabase('certificates')
    const place = home()
    const pem = readFileSync(join(running.data, 'tls/localhost.pem'))
    const [good, broken] = [join(place, 'good.pem'), join(place, 'broken.pem')]
    writeFileSync(good, pem)
    writeFileSync(broken, 'MIIC')
    const withFiles = (certificate: string, key: string, domain = 'localhost') =>
      refusal({
        folder: place,
        set: [
          `domain=${domain}`,
          `tls.certificate=${certificate}`,
          `tls.key=${key}`,
          `database.url=${database}`,
        ],
      })
    assert.equal(
      await withFiles(join(place, 'none.pem'), good),
      'parley: localhost: HOME/none.pem: there is no such file; correct its name',
    )
    assert.match(
      await withFiles(broken, good),
      /^parley: localhost: HOME\/broken\.pem and HOME\/good\.pem: [^\n]+$/,
    )
    assert.match(
      await withFiles(good, broken),
      /^parley: localhost: HOME\/good\.pem and HOME\/broken\.pem: [^\n]+$/,
    )
    assert.match(
      await withFiles(good, good, 'example.org'),
      /^parley: example\.org: HOME\/good\.pem: [^\n]+$/,
    )
  })

  test('a data directory of another PostgreSQL, or of none', async () => {
    const place = home()
    mkdirSync(join(place, 'data'))
    await cp(join(running.data, 'postgres/PG_VERSION'), join(place, 'data/postgres/PG_VERSION'), {
      recursive: true,
    })
    writeFileSync(join(place, 'data/postgres/PG_VERSION'), '15\n')
    assert.equal(
      await refusal({ folder: place }),
      `parley: HOME/data/postgres was made by PostgreSQL 15, and this Parley brings PostgreSQL 18
   fix  serve it with a PostgreSQL 15 and set database.url to that, or move it away to begin with an empty database`,
    )
    await rm(join(place, 'data/postgres/PG_VERSION'))
    assert.equal(
      await refusal({ folder: place }),
      `parley: HOME/data/postgres is not a PostgreSQL data directory
   fix  move it away to begin with an empty database, or restore it from a backup`,
    )
  })

  test('a data directory that is a file, or in one', async () => {
    const place = home()
    writeFileSync(join(place, 'file'), '')
    for (const path of ['file', 'file/data'])
      assert.match(
        await refusal({ folder: place, set: [`data_dir=${path}`] }),
        /^parley: cannot make the folder HOME\/file[^\n]*: something else has that name\n {3}fix {2}move it, or set data_dir$/,
      )
  })

  test(
    'a place where no folder can be made',
    { skip: process.platform !== 'linux' && 'needs /proc' },
    async () => {
      assert.match(
        await refusal({ set: ['data_dir=/proc/parley'] }),
        /^parley: cannot [^\n]+\n {3}fix {2}[^\n]+$/,
      )
    },
  )

  test('a newer schema, and one whose history is another', async () => {
    const table =
      'CREATE TABLE migrations (number int PRIMARY KEY, name text, checksum text, applied_at timestamptz DEFAULT now());'
    const newer = await createDatabase(
      'newer',
      `${table} INSERT INTO migrations VALUES (9999, '9999_later', 'x')`,
    )
    assert.match(
      await refusal({ set: [`database.url=${newer}`] }),
      /^parley: the database has schema 9999 \(9999_later\), this server knows only \d+\n {3}fix {2}start the newer Parley [^\n]+$/,
    )
    const other = await createDatabase(
      'other',
      `${table} INSERT INTO migrations VALUES (1, '0001_accounts', 'x')`,
    )
    assert.match(
      await refusal({ set: [`database.url=${other}`] }),
      /^parley: migrations\/0001_accounts\.sql is not the file that was applied to this database\n {3}fix {2}[^\n]+$/,
    )
  })

  test('a database that does not answer: the wait is bounded', async () => {
    const closed = await listening(createServer())
    const { port } = closed.address() as AddressInfo
    await new Promise((done) => closed.close(done))
    const begin = performance.now()
    assert.equal(
      await refusal({ set: [`database.url=postgres://ana@127.0.0.1:${port}/x`, 'database.connect_wait=1s'] }),
      `parley: cannot use the database ana@127.0.0.1:${port}/x: connection refused for 1 s
   fix  check database.url, that the server is running, and that the user may log in`,
    )
    const took = performance.now() - begin
    assert.ok(took >= 1000, `gave up after ${took} ms`)
  })

  test('a wrong password, a database that is not there', async () => {
    const picky = await listening(createServer(refusePassword))
    const { port } = picky.address() as AddressInfo
    const message = await refusal({
      env: { DATABASE_URL: `postgres://ana:secret@127.0.0.1:${port}/x` },
    })
    assert.equal(
      message,
      `parley: cannot use the database ana@127.0.0.1:${port}/x: password authentication failed for user "ana"
   fix  check database.url, that the server is running, and that the user may log in`,
    )
    picky.close()
    assert.match(
      await refusal({ set: [`database.url=${url('nowhere')}`] }),
      /^parley: cannot use the database in \S+: database "nowhere" does not exist\n {3}fix {2}[^\n]+$/,
    )
    assert.equal(
      await refusal({ set: ['database.url=secret'] }),
      `--set database.url = "********"  is no PostgreSQL URL
   write "postgres://USER@HOST/DATABASE"
1 error: not started, nothing changed`,
    )
  })

  test('configuration: broken TOML, unknown keys, unknown names in the environment, no file', async () => {
    const place = home()
    const file = join(place, 'parley.toml')
    writeFileSync(file, 'domain = "example.org\n')
    assert.match(
      await refusal({ folder: place }),
      /^parley\.toml:1:\d+ {2}[^\n]+\n {3}1: {2}domain = "example\.org\n1 error: not started, nothing changed$/,
    )
    writeFileSync(file, 'domian = "example.org"\n[limits]\ndepht = 20\n')
    assert.equal(
      await refusal({ folder: place, env: { PARLEY_LOG__LEVLE: 'info', PARLEY_FOO: '1' } }),
      `parley.toml:1:1  unknown key  domian
   did you mean  domain ?
parley.toml:3:1  unknown key  limits.depht
   did you mean  limits.depth ?
env PARLEY_FOO  no such setting
   names follow the path: PARLEY_LOG__LEVEL is log.level
env PARLEY_LOG__LEVLE  no such setting
   did you mean  PARLEY_LOG__LEVEL ?
4 errors: not started, nothing changed`,
    )
    assert.equal(
      await refusal({ folder: place, config: 'none.toml' }),
      `none.toml  no such file
   create it, or correct the path (seen from HOME)
1 error: not started, nothing changed`,
    )
  })

  test('wrong usage is 2, a server that does not run is 3', async () => {
    const place = { folder: home() }
    const [usage, password, health] = await Promise.all([
      run(['start', '--nonsense'], place),
      run(['user', 'add', 'ana', '--password', 'secret'], place),
      run(['health'], place),
    ])
    assert.deepEqual([usage.code, usage.error], [2, 'parley: unknown option --nonsense\n'])
    assert.equal(password.code, 2)
    assert.match(password.error, /^parley: a password is never an argument: [^\n]+\n {3}[^\n]+\n$/)
    assert.equal(health.code, 3)
    assert.match(health.error, /^parley: no server is running here [^\n]+\n {3}start it with [^\n]+\n$/)
  })
})

function listening(server: Server): Promise<Server> {
  return new Promise((ready) => server.listen(0, '127.0.0.1', () => ready(server)))
}

/** PostgreSQL's protocol (manual §54.7), as far as a password that is not taken. */
function refusePassword(socket: Socket): void {
  socket.once('data', () => {
    socket.write(Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]))
    socket.once('data', () => {
      const fields = 'SFATAL\0C28P01\0Mpassword authentication failed for user "ana"\0\0'
      const head = Buffer.alloc(5)
      head.write('E')
      head.writeInt32BE(fields.length + 4, 1)
      socket.end(Buffer.concat([head, Buffer.from(fields)]))
    })
  })
  socket.on('error', () => {})
}
