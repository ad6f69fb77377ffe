/** Passwords: prepared, salted and stretched into SCRAM keys, and compared with them, never more at once than the machine can bear. */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import saslprep from 'saslprep'
import type { Random } from '../base/random.js'
import type { Hash, PasswordCheck, ScramKeys } from './mechanism.js'

export interface PasswordOptions {
  /** PBKDF2 rounds of new keys. Default 10,000; RFC 7677 §4 asks for 4,096 at least. */
  readonly iterations?: number
  /** Derivations at the same time. Default one less than there are cores, 3 at most: files and look-ups share their threads. */
  readonly inFlight?: number
  /** Derivations that may wait for their turn. Default 500, some seconds of work. */
  readonly waiting?: number
  /** Told when one is refused because too many wait. */
  readonly onBusy?: () => void
}

/** A password that cannot be one; the message says why and suits the user. */
export class PasswordError extends Error {}

/** Too many derivations are waiting; the client may try again later. */
export class PasswordsBusy extends Error {}

export const hashes: readonly Hash[] = ['SHA-1', 'SHA-256', 'SHA-512']

/** Bytes of each hash. */
export const hashBytes: Readonly<Record<Hash, number>> = {
  'SHA-1': 20,
  'SHA-256': 32,
  'SHA-512': 64,
}

const saltBytes = 16
const maximumBytes = 1024
const stretch = promisify(pbkdf2)

export class Passwords implements PasswordCheck {
  /** Of new keys; may be changed. */
  iterations: number
  readonly #random: Random
  readonly #inFlight: number
  readonly #waiting: number
  readonly #onBusy: (() => void) | undefined
  readonly #queue: (() => void)[] = []
  #running = 0

  constructor(random: Random, options: PasswordOptions = {}) {
    this.#random = random
    this.iterations = options.iterations ?? 10_000
    this.#inFlight = options.inFlight ?? Math.max(1, Math.min(3, availableParallelism() - 1))
    this.#waiting = options.waiting ?? 500
    this.#onBusy = options.onBusy
  }

  /**
   * The keys to store for a password, one set for each hash, or for some.
   * Rejects with `PasswordError` when SASLprep forbids it, with `PasswordsBusy` when too many are waiting.
   */
  async deriveKeys(password: string, of = hashes): Promise<Record<Hash, ScramKeys>> {
    const prepared = preparePassword(password)
    if (prepared === undefined)
      throw new PasswordError(
        `a password has 1 to ${maximumBytes} bytes, none of them control characters or unassigned in Unicode 3.2`,
      )
    const keys: Partial<Record<Hash, ScramKeys>> = {}
    for (const hash of of) {
      const salt = this.#random.bytes(saltBytes)
      const salted = await this.#stretch(prepared, salt, this.iterations, hash)
      keys[hash] = keysOf(salted, salt, this.iterations, hash)
    }
    return keys as Record<Hash, ScramKeys>
  }

  async verify(password: string, keys: Partial<Record<Hash, ScramKeys>>): Promise<boolean> {
    const hash = hashToCompare(keys)
    const stored = keys[hash]
    const prepared = preparePassword(password)
    const salt = stored?.salt ?? Buffer.alloc(saltBytes)
    const iterations = stored?.iterations ?? this.iterations
    const salted = await this.#stretch(prepared ?? '', salt, iterations, hash)
    const { storedKey } = keysOf(salted, salt, iterations, hash)
    return prepared !== undefined && stored !== undefined && equal(storedKey, stored.storedKey)
  }

  async #stretch(password: string, salt: Buffer, rounds: number, hash: Hash): Promise<Buffer> {
    if (this.#running < this.#inFlight) this.#running++
    else if (this.#queue.length >= this.#waiting) {
      this.#onBusy?.()
      throw new PasswordsBusy('too many passwords wait to be checked')
    } else await new Promise<void>((turn) => this.#queue.push(turn))
    try {
      return await stretch(password, salt, rounds, hashBytes[hash], digestName(hash))
    } finally {
      // The one whose turn it is takes over this place, so `#running` stays as it is.
      const next = this.#queue.shift()
      if (next) next()
      else this.#running--
    }
  }
}

/** SASLprep as for stored strings (RFC 5802 §2.2); undefined for what it forbids, the empty and the oversize. */
export function preparePassword(password: string): string | undefined {
  if (Buffer.byteLength(password) > maximumBytes) return undefined
  if (/^[ -~]+$/.test(password)) return password
  try {
    return saslprep(password) || undefined
  } catch {
    return undefined
  }
}

/** Which keys a password is compared with: without any, as for no account, those take the time that all would take. */
export function hashToCompare(keys: Partial<Record<Hash, ScramKeys>>): Hash {
  return comparable.find((hash) => keys[hash]) ?? comparable[0]
}

const comparable = ['SHA-256', 'SHA-512', 'SHA-1'] as const

/** The name Node knows a hash by. */
export function digestName(hash: Hash): string {
  return hash === 'SHA-1' ? 'sha1' : hash === 'SHA-256' ? 'sha256' : 'sha512'
}

/** Compares in a time that depends on the lengths only. */
export function equal(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}

/** RFC 5802 §3: StoredKey and ServerKey out of SaltedPassword. */
export function keysOf(salted: Buffer, salt: Buffer, iterations: number, hash: Hash): ScramKeys {
  const digest = digestName(hash)
  const clientKey = createHmac(digest, salted).update('Client Key').digest()
  return {
    salt,
    iterations,
    storedKey: createHash(digest).update(clientKey).digest(),
    serverKey: createHmac(digest, salted).update('Server Key').digest(),
  }
}
