/** As root and as somebody else, in a checkout that nobody else can walk to, and what a process may not read. */
import assert from 'node:assert/strict'
import { chmod, chown, constants, cp, mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Client } from './support/client.js'
import type { Launch } from './support/server.js'
import { leftIn, Parley, refused, temporaryFolder, top } from './support/server.js'

const nobody = 65534
const isRoot = process.getuid?.() === 0
/** A user who is not root, and a checkout that this user can read. */
let other: Pick<Launch, 'uid' | 'checkout'> = {}
let folder: Awaited<ReturnType<typeof temporaryFolder>>
/** Of this checkout, in the folder that only its owner may enter. */
let copy: string
before(async () => {
  folder = await temporaryFolder()
  copy = join(folder.path, 'parley')
  for (const part of ['package.json', 'migrations', 'dist/src', 'node_modules'])
    await cp(join(top, part), join(copy, part), {
      recursive: true,
      verbatimSymlinks: true,
      mode: constants.COPYFILE_FICLONE,
      filter: (path) => !/node_modules\/(@?typescript|@types)$/.test(path),
    })
})
after(() => folder.remove())

/** The whole way: start, a user, a login, an orderly end. */
async function works(launch: Launch): Promise<void> {
  const server = await Parley.start(launch)
  try {
    await server.add('romeo')
    const romeo = await Client.login({
      port: server.port('STARTTLS'),
      trust: server.certificate().pem,
      account: 'romeo@localhost',
    })
    await romeo.appear()
    await romeo.close()
  } finally {
    assert.equal((await server.stop()).code, 0)
  }
  assert.deepEqual(await leftIn(launch.folder), [])
}

test(`in a checkout under a folder of mode 0700, ${isRoot ? 'as root' : 'as its owner'}`, async () => {
  assert.equal((await stat(folder.path)).mode & 0o777, 0o700)
  const shared = '/var/lib/parley'
  const there = await stat(shared).catch(() => undefined)
  try {
    await works({ folder: copy, checkout: copy })
    // Without a word about the place: what root keeps here, root alone can enter.
    assert.equal((await stat(join(copy, 'data'))).mode & 0o777, 0o700)
  } finally {
    // PostgreSQL's programs, for a user who cannot come here.
    if (isRoot && !there) await rm(shared, { recursive: true, force: true })
  }
})

describe('as somebody who is not root:', { concurrency: 3 }, () => {
  before(async () => {
    if (!isRoot) return
    other = { uid: nobody, checkout: copy }
    await chmod(folder.path, 0o711)
  })

  let count = 0
  /** A folder of that user. */
  async function home(): Promise<string> {
    const path = join(folder.path, `home-${count++}`)
    await mkdir(path, { mode: 0o700 })
    if (isRoot) await chown(path, nobody, nobody)
    return path
  }

  test(
    'it works',
    { skip: !isRoot && 'needs root, to become somebody else; the other tests ran as you' },
    async () => {
      await works({ folder: await home(), ...other })
    },
  )

  test('a configuration that may not be read', async () => {
    const place = await home()
    await writeFile(join(place, 'parley.toml'), 'domain = "example.org"\n', { mode: 0 })
    assert.match(
      await refused({ folder: place, ...other }),
      /^parley\.toml {2}cannot read \(owner \S+, mode 0; running as \d+\)\n {3}fix {2}[^\n]+\n1 error: not started, nothing changed$/,
    )
  })

  test('a secret that may not be read', async () => {
    const place = await home()
    await writeFile(join(place, 'secret'), 'x\n', { mode: 0 })
    assert.match(
      await refused({ folder: place, env: { PARLEY_DATABASE__PASSWORD_FILE: 'secret' }, ...other }),
      /^env PARLEY_DATABASE__PASSWORD_FILE {2}\S*secret: cannot read \(owner [^\n]+\)\n {3}fix {2}[^\n]+\n1 error/,
    )
  })

  test('a certificate or a key that may not be read', async () => {
    const place = await home()
    await writeFile(join(place, 'certificate.pem'), '', { mode: 0 })
    const message = await refused({
      folder: place,
      set: ['tls.certificate=certificate.pem', 'tls.key=certificate.pem'],
      ...other,
    })
    assert.equal(
      message,
      'parley: localhost: HOME/certificate.pem: this process may not read it; give its user or group the right to',
    )
  })

  test('a folder where no data directory can be made', async () => {
    const place = await home()
    await mkdir(join(place, 'closed'), { mode: 0o500 })
    assert.match(
      await refused({ folder: place, set: ['data_dir=closed/data'], ...other }),
      /^parley: cannot write HOME\/closed\/data: not allowed\n {3}fix {2}make it writable for user \d+, or set data_dir$/,
    )
  })

  test('a data directory that may not be entered', async () => {
    const place = await home()
    await mkdir(join(place, 'data'), { mode: 0 })
    assert.match(
      await refused({ folder: place, ...other }),
      /^parley: [^\n]*HOME\/data[^\n]*\n {3}fix {2}[^\n]+$/,
    )
    await chmod(join(place, 'data'), 0o700)
  })

  test(
    'a database of another user',
    { skip: !isRoot && 'needs root, to make files of another user' },
    async () => {
      const place = await home()
      await mkdir(join(place, 'data/postgres'), { recursive: true })
      await writeFile(join(place, 'data/postgres/PG_VERSION'), '18\n')
      await chmod(join(place, 'data'), 0o777)
      assert.match(
        await refused({ folder: place, ...other }),
        /^parley: HOME\/data\/postgres belongs to user 0, and this is user 65534\n {3}fix {2}chown -R 65534:65534 HOME\/data\/postgres$/,
      )
    },
  )
})
