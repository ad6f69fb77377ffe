/** Ids of archived messages: UUIDs of version 7 (RFC 9562 §5.7), in the order in which they are made. */
import type { Clock } from '../base/clock.js'
import type { Random } from '../base/random.js'

/** Ids of one millisecond; with more, those after them are of the next one. */
const perMillisecond = 0x1000
/** Bytes of chance drawn at once: 8 for each id. */
const drawn = 4096

/** Makes ids that grow from call to call, each with more than 60 bits of chance. */
export class ArchiveIds {
  readonly #clock: Clock
  readonly #random: Random
  #ms = 0
  /** Of `#ms`, as the text begins. */
  #prefix = ''
  #count = 0
  #chance = ''
  #at = 0

  constructor(clock: Clock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  next(): string {
    const now = this.#clock.now()
    if (now > this.#ms) this.#begin(now)
    else if (this.#count === perMillisecond) this.#begin(this.#ms + 1)
    const count = (this.#count++).toString(16).padStart(3, '0')
    return `${this.#prefix}-7${count}-${this.#tail()}`
  }

  #begin(ms: number): void {
    this.#ms = ms
    this.#prefix = prefixOf(ms)
    this.#count = 0
  }

  #tail(): string {
    if (this.#at === this.#chance.length) {
      this.#chance = this.#random.bytes(drawn).toString('hex')
      this.#at = 0
    }
    const at = this.#at
    this.#at += 16
    const variant = '89ab'[this.#chance.charCodeAt(at) & 3]!
    return `${variant}${this.#chance.slice(at + 1, at + 4)}-${this.#chance.slice(at + 4, at + 16)}`
  }
}

const form = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Whether it can be the id of an archived message. */
export function isArchiveId(text: string): boolean {
  return form.test(text)
}

/** When the message of an id was sent or received, in milliseconds since 1970. */
export function momentOf(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16)
}

/** An id below all of that moment and above all before; `ms` from 1970 to 10889, others are taken for these. */
export function firstOf(ms: number): string {
  return `${prefixOf(within(ms))}-0000-0000-000000000000`
}

/** An id above all of that moment and below all after. */
export function lastOf(ms: number): string {
  return `${prefixOf(within(ms))}-ffff-ffff-ffffffffffff`
}

function within(ms: number): number {
  return Math.min(Math.max(Math.floor(ms), 0), 2 ** 48 - 1)
}

function prefixOf(ms: number): string {
  const digits = ms.toString(16).padStart(12, '0')
  return `${digits.slice(0, 8)}-${digits.slice(8)}`
}
