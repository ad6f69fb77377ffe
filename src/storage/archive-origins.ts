/** Which messages were archived lately, by what their senders call them: what is sent again is known. */
import { Lru } from '../base/lru.js'
import { originsKept, type ArchiveOwner, type Taken } from './archive.js'
import { momentOf } from './archive-ids.js'

/** Messages that are remembered; those before are known to the database. */
const remembered = 20_000

interface Known {
  readonly id: string
  readonly written: Promise<void>
}

const durable = Promise.resolve()

export class Origins {
  readonly #known = new Lru<string, Known>(remembered)

  get size(): number {
    return this.#known.size
  }

  /** The message of that origin, if it came in the 24 hours before `now`. */
  find(owner: ArchiveOwner, origin: bigint, now: number): Taken | undefined {
    const known = this.#known.get(keyOf(owner, origin))
    if (!known || now - momentOf(known.id) >= originsKept) return undefined
    return { ...known, again: true }
  }

  /** Remembers a message, until its writing fails. */
  set(owner: ArchiveOwner, origin: bigint, id: string, written: Promise<void> = durable): void {
    const known = { id, written }
    const key = keyOf(owner, origin)
    this.#known.set(key, known)
    if (written === durable) return
    written.catch(() => {
      if (this.#known.get(key) === known) this.#known.delete(key)
    })
  }
}

function keyOf(owner: ArchiveOwner, origin: bigint): string {
  return `${owner} ${origin}`
}
