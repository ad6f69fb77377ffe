/** The accounts of a load, all with one password and one salt, so that the generator derives its keys only once. */
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'

export const password = 'bench-password'
export const salt = Buffer.from('parley bench salt')
export const iterations = 10_000

export type Hash = 'sha1' | 'sha256' | 'sha512'

/** RFC 5802 §3: what a client derives, and the first two of what a server keeps. */
export interface Keys {
  readonly stored: Buffer
  readonly server: Buffer
  readonly client: Buffer
}

/** Every name is one of these words and a number counted from 0. */
export interface Crowd {
  readonly word: string
  readonly count: number
}

export function namesOf(crowds: readonly Crowd[]): string[] {
  return crowds.flatMap(({ word, count }) => Array.from({ length: count }, (_, i) => `${word}${i}`))
}

export function deriveKeys(hash: Hash, salt: Buffer, iterations: number): Keys {
  const length = createHash(hash).digest().length
  const salted = pbkdf2Sync(password, salt, iterations, length, hash)
  const client = hmac(hash, salted, 'Client Key')
  return {
    client,
    stored: createHash(hash).update(client).digest(),
    server: hmac(hash, salted, 'Server Key'),
  }
}

export function hmac(hash: Hash, key: Buffer, text: string): Buffer {
  return createHmac(hash, key).update(text).digest()
}
