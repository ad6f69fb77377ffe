/** Chance: ids and bytes from the system's source, or a counting one that makes transcripts stable. */
import { randomBytes } from 'node:crypto'

export interface Random {
  /** An unguessable identifier of 22 URL-safe characters (128 bits). */
  id(): string
  bytes(length: number): Buffer
}

/** System randomness, drawn in blocks: one system call serves 256 ids. */
class SystemRandom implements Random {
  #pool = Buffer.alloc(0)
  #at = 0

  id(): string {
    if (this.#at + 16 > this.#pool.length) {
      this.#pool = randomBytes(4096)
      this.#at = 0
    }
    const id = this.#pool.toString('base64url', this.#at, this.#at + 16)
    this.#pool.fill(0, this.#at, this.#at + 16)
    this.#at += 16
    return id
  }

  bytes(length: number): Buffer {
    return randomBytes(length)
  }
}

export const systemRandom: Random = new SystemRandom()

/** For tests: ids are `id-1`, `id-2`, ...; bytes are real. */
export class CountingRandom implements Random {
  #count = 0
  id(): string {
    return `id-${++this.#count}`
  }
  bytes(length: number): Buffer {
    return randomBytes(length)
  }
}
