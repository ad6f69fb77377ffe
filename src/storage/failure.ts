/** Sorts what goes wrong between us and PostgreSQL by what may be done about it. */
import pg from 'pg'

/**
 * - `conflict`: rolled back because of somebody else's transaction; may be done again.
 * - `stale`: the prepared statement no longer fits its tables; may be done again on another connection.
 * - `lost`: the connection broke; what was sent may or may not have happened.
 * - `busy`: the database refuses for now (time limit, disk full, too many connections, read-only).
 * - `ours`: the statement is wrong, or a constraint says no.
 */
export type Failure = 'conflict' | 'stale' | 'lost' | 'busy' | 'ours'

/** SQLSTATE codes and classes (PostgreSQL manual, appendix A) and the system's error codes. */
const byCode: Record<string, Failure> = {
  '40001': 'conflict',
  '40P01': 'conflict',
  '26000': 'stale',
  '57P01': 'lost',
  '57P02': 'lost',
  '57P03': 'lost',
  '57P05': 'lost',
  '25P03': 'lost',
  '57014': 'busy',
  '55P03': 'busy',
  '25006': 'busy',
  '58030': 'busy',
}
const byClass: Record<string, Failure> = { '08': 'lost', '53': 'busy' }
const systemCodes = new Set(
  'ECONNRESET ECONNREFUSED ECONNABORTED EPIPE ENOENT ETIMEDOUT EHOSTUNREACH EHOSTDOWN ENETUNREACH ENOTFOUND EAI_AGAIN'.split(
    ' ',
  ),
)
const lostWords =
  /^Connection terminated|^Client has encountered a connection error|^Client was closed|^Query read timeout|not queryable|^timeout expired/

export function classify(error: unknown): Failure {
  if (!(error instanceof Error)) return 'ours'
  const code = codeOf(error)
  if (error instanceof pg.DatabaseError) {
    if (code === '0A000' && error.message.includes('cached plan')) return 'stale'
    return byCode[code] ?? byClass[code.slice(0, 2)] ?? 'ours'
  }
  return systemCodes.has(code) || lostWords.test(error.message) ? 'lost' : 'ours'
}

/** The connection stands, but the server did not answer within its own time limit and some seconds. */
export function isSilence(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('Query read timeout')
}

/** The cause in the admin's words, without secrets: the server's own sentence, or the system's. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const plain: Record<string, string> = {
    ECONNREFUSED: 'connection refused',
    ENOENT: 'no such socket',
    ENOTFOUND: 'unknown host name',
    EAI_AGAIN: 'the host name cannot be looked up now',
    ETIMEDOUT: 'no answer',
    EHOSTUNREACH: 'no route to the host',
    ENETUNREACH: 'no route to the network',
    ECONNRESET: 'connection reset',
  }
  if (/connection timeout|timeout expired|^Query read timeout/.test(error.message)) return 'no answer'
  return plain[codeOf(error)] ?? (error.message || codeOf(error))
}

/** Failures at connecting that waiting does not mend: wrong password, no such role or database, no permission. */
export function isRefusal(error: unknown): boolean {
  const code = error instanceof Error ? codeOf(error) : ''
  return /^(28...|3D000|42501)$/.test(code)
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}
