/** Reading the files of a configuration, and saying in the admin's words why one cannot be read. */
import { readdirSync, readFileSync, statSync } from 'node:fs'

/** What loading needs of the file system, and who is asking. */
export interface FileAccess {
  /** The working directory. */
  readonly folder: string
  /** The user id of this process; undefined where there is none. */
  readonly uid: number | undefined
  read(file: string): string
  /** The names in a folder; none when there is no such folder. */
  list(folder: string): string[]
  /** Permission bits and owner; undefined when unknown. */
  stat(file: string): { readonly mode: number; readonly uid: number } | undefined
  explain(file: string, error: unknown): { message: string; hint?: string }
}

/** The real file system. */
export function fileAccess(folder: string, uid: number | undefined): FileAccess {
  const access: FileAccess = {
    folder,
    uid,
    read: (file) => readFileSync(file, 'utf8'),
    list(folder) {
      try {
        return readdirSync(folder)
      } catch {
        return []
      }
    },
    stat(file) {
      try {
        const { mode, uid: owner } = statSync(file)
        return { mode: mode & 0o777, uid: owner }
      } catch {
        return undefined
      }
    },
    explain: (file, error) => explain(access, file, error),
  }
  return access
}

/** Why a file cannot be read, and what to do. */
export function explain(
  access: FileAccess,
  file: string,
  error: unknown,
): { message: string; hint?: string } {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT')
    return { message: 'no such file', hint: `create it, or correct the path (seen from ${access.folder})` }
  if (code === 'EISDIR') return { message: 'is a folder, not a file' }
  if (code !== 'EACCES' && code !== 'EPERM') return { message: `cannot read: ${(error as Error).message}` }
  const stat = access.stat(file)
  const owner = stat ? `owner ${stat.uid === 0 ? 'root' : stat.uid}, mode ${stat.mode.toString(8)}; ` : ''
  const uid = access.uid ?? 'another user'
  return {
    message: `cannot read (${owner}running as ${uid === 0 ? 'root' : uid})`,
    hint: `fix  chmod 640 and chgrp ${uid}, or set uid in the compose secret`,
  }
}
