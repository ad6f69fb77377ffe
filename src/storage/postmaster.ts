/** One PostgreSQL process on a cluster: whether it runs, starting it, asking it to stop. */
import { spawn } from 'node:child_process'
import { open, readFile, readlink, realpath, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isAlive, signal, system } from '../base/system.js'
import type { Cluster } from './cluster.js'
import { environment, pathFor } from './cluster.js'
import { StorageRefused } from './errors.js'

/** Small in memory, safe on disk, reachable only through the socket in its own 0700 folder. */
const settings = {
  listen_addresses: '',
  unix_socket_directories: '.',
  unix_socket_permissions: '0700',
  port: '5432',
  cluster_name: 'parley',
  max_connections: '30',
  shared_buffers: '32MB',
  work_mem: '4MB',
  maintenance_work_mem: '32MB',
  huge_pages: 'off',
  io_method: 'sync',
  max_parallel_workers_per_gather: '0',
  max_logical_replication_workers: '0',
  jit: 'off',
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  wal_level: 'minimal',
  max_wal_senders: '0',
  min_wal_size: '32MB',
  max_wal_size: '256MB',
  checkpoint_timeout: '5min',
  log_destination: 'stderr',
  log_min_messages: 'log',
  log_min_error_statement: 'panic',
  log_checkpoints: 'off',
  logging_collector: 'off',
}

/** The process id of the PostgreSQL that serves this cluster, if there is one. */
export async function runningIn(cluster: Cluster): Promise<number | undefined> {
  const text = await readFile(join(cluster.path, 'postmaster.pid'), 'utf8').catch(() => '')
  const pid = Number.parseInt(text, 10)
  return pid > 0 && (await isPostgres(pid, cluster)) ? pid : undefined
}

/** A PostgreSQL that we have started. */
export interface Started {
  readonly pid: number
  readonly ended: boolean
  /** Why it ended: `StorageRefused` with its own last words. 'occupied': another was faster, or is still ending. */
  reason(): Promise<StorageRefused | 'occupied'>
}

/** PostgreSQL's words while the children of one that was killed are still ending, or another start was faster. */
const occupiedWords = /pre-existing shared memory block|lock file "[^"]+" (already exists|is empty)/

/** What ended it, not what it told those who came too early: "FATAL:  the database system is starting up". */
const endWords = /(FATAL|PANIC|error)(?!:\s*the database system is)/i

/**
 * Starts PostgreSQL apart from our own process group, so that neither a Ctrl-C nor our end takes it along, and
 * returns when one has written its pid file or ours has ended.
 */
export async function startPostgres(cluster: Cluster, pause: () => Promise<void>): Promise<Started> {
  await dropStalePidFile(cluster)
  await keepOneOldLog(cluster.log)
  const log = await open(cluster.log, 'a', 0o600)
  if (cluster.identity) await log.chown(cluster.identity.uid, cluster.identity.gid)
  const before = (await log.stat()).size
  const child = spawn(
    join(cluster.programs, 'bin/postgres'),
    [
      '-D',
      pathFor(cluster),
      ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    {
      cwd: cluster.path,
      env: environment(),
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      ...cluster.identity,
    },
  )
  let end: string | undefined
  child.once('error', (error) => (end = error.message))
  child.once('exit', (code, signal) => (end ??= `exit ${code ?? signal}`))
  child.unref()
  const started: Started = {
    pid: child.pid ?? 0,
    get ended() {
      return end !== undefined
    },
    reason: () => reasonOfEnd(cluster, before, end ?? ''),
  }
  try {
    while (!started.ended && !(await runningIn(cluster))) await pause()
  } finally {
    await log.close()
  }
  return started
}

async function reasonOfEnd(
  cluster: Cluster,
  before: number,
  end: string,
): Promise<StorageRefused | 'occupied'> {
  const said = (await readFile(cluster.log)).subarray(before).toString().trim().split('\n')
  const last = said.findLast((line) => endWords.test(line)) ?? said.at(-1)
  if (occupiedWords.test(last ?? '')) return 'occupied'
  return new StorageRefused(
    `the embedded PostgreSQL does not start: ${last?.replace(/^.*(FATAL|ERROR|PANIC):\s*/, '') || end}`,
    `see ${cluster.log}, or set database.url to a PostgreSQL of your own`,
  )
}

/** Fast shutdown: transactions in progress are rolled back, everything committed is on disk (PostgreSQL manual, §18.5). */
export function askToStop(pid: number): void {
  signal(pid, 'SIGINT')
}

/** PostgreSQL removes its pid file a little before it ends. One that nobody waits for stays as a zombie. */
export async function hasEnded(pid: number): Promise<boolean> {
  if (!isAlive(pid)) return true
  const state = await readFile(`/proc/${pid}/stat`, 'latin1').catch(() => '')
  return /\) Z /.test(state)
}

/**
 * After a crash or a reboot the number may belong to another process by now, and PostgreSQL would refuse to start. A
 * number of nobody is left to PostgreSQL, which also looks for children of the dead one that still write.
 */
async function dropStalePidFile(cluster: Cluster): Promise<void> {
  const file = join(cluster.path, 'postmaster.pid')
  const pid = Number.parseInt(await readFile(file, 'utf8').catch(() => ''), 10)
  if (pid > 0 && isAlive(pid) && !(await isPostgres(pid, cluster))) await rm(file, { force: true })
}

/** Process numbers come round again: it must be a postgres, and work in this very folder where the system tells. */
async function isPostgres(pid: number, { path }: Cluster): Promise<boolean> {
  if (!isAlive(pid)) return false
  if (system.platform !== 'linux') return true
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(path))
  } catch {
    return false
  }
}

async function keepOneOldLog(log: string): Promise<void> {
  const size = await stat(log).then(
    (file) => file.size,
    () => 0,
  )
  if (size > 1 << 20) await rename(log, `${log}.old`)
}
