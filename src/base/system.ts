/** The process and the system it runs on: who we are, and a word to another process. */

export const system = {
  platform: process.platform,
  arch: process.arch,
  pid: process.pid,
  /** Undefined where users have no numbers. */
  uid: process.getuid?.(),
  gid: process.getgid?.(),
  /** Where programs are looked for. */
  searchPath: process.env['PATH'] ?? '/usr/bin:/bin',
} as const

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // It is there, but not ours to signal.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

/** Sends a signal; nothing happens when the process has ended. */
export function signal(pid: number, name: 'SIGINT' | 'SIGTERM' | 'SIGQUIT'): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}
