/** The bytes that are being scanned, and how many of them there may be. */
import { isAscii } from 'node:buffer'
import { XmlFault, type LimitName, type ParserLimits } from './limits.js'

const NOTHING = Buffer.alloc(0)
const LEAST_ROOM = 512
const LARGE = 65_536

/**
 * Holds pushed chunks as they are and copies only what is unfinished. What is being read begins at `base`; its offsets
 * are counted from there, so that the bytes can move.
 */
export class Intake {
  /** May be replaced between elements, for example after authentication. */
  limits: ParserLimits

  /** Open elements, the stream's included. */
  protected depth = 0
  /** The depth at which first-level elements begin: 1 in a stream, 0 in a document, more within containers. */
  protected top: number
  /** The limit that the element at hand is over; the rest of it is checked, but nothing kept. */
  protected over: LimitName | undefined = undefined
  /** Holds the bytes from `base` (or `pos`) to `end`; a pushed chunk itself while it suffices. */
  protected buffer: Buffer = NOTHING
  /** The next byte to look at. */
  protected pos = 0
  /** Where the element or header at hand begins, or -1 between them. */
  protected base = -1
  protected end = 0
  /** Whether all bytes in `buffer` are known to be ASCII. */
  protected ascii = true
  /** Where scanning stops: the end of the bytes or of what the limit allows. */
  protected stop = 0
  /** Whether the limit of bytes was passed and the second one holds. */
  #extended = false
  /** Whether `buffer` is ours, not a chunk. */
  #own = false

  constructor(limits: ParserLimits, top: 0 | 1) {
    this.limits = limits
    this.top = top
  }

  /** Bytes pushed and not yet consumed. */
  get pending(): number {
    return this.end - (this.base < 0 ? this.pos : this.base)
  }

  /** A copy of the bytes not yet consumed, for the parser that reads on in their stead (RFC 6120 §4.3.3). */
  rest(): Buffer {
    return Buffer.from(this.buffer.subarray(this.base < 0 ? this.pos : this.base, this.end))
  }

  /** Takes bytes. The chunk is referred to until all of it is consumed or more bytes are needed. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return
    if (this.pending === 0) {
      this.buffer = chunk
      this.pos = 0
      this.end = chunk.length
      this.#own = false
      this.ascii = isAscii(chunk)
      return
    }
    this.#keep(chunk.length)
    chunk.copy(this.buffer, this.end)
    this.end += chunk.length
    this.ascii = this.ascii && isAscii(chunk)
  }

  /** An element, or a header, begins. */
  protected begin(at: number): void {
    this.base = at
    this.setStop()
  }

  /** The element or header at hand is done with. */
  protected finish(): void {
    this.base = -1
    this.over = undefined
    this.#extended = false
    this.setStop()
  }

  /** Marks the element at hand as over a limit. @throws XmlFault when there is no element that could be refused */
  protected exceed(limit: LimitName): void {
    if (this.depth < this.top)
      throw new XmlFault('policy-violation', `The stream header is over the limit of ${limit}`, limit)
    this.over ??= limit
  }

  /** `stop` is reached and there are more bytes: looks for the end tag in as many again, but not further. */
  protected overrun(): void {
    if (this.#extended)
      throw new XmlFault('policy-violation', 'An element of more than twice the allowed bytes', 'bytes')
    this.exceed('bytes')
    this.#extended = true
    this.setStop()
  }

  protected setStop(): void {
    const { bytes } = this.limits
    this.stop =
      this.base < 0 ? this.end : Math.min(this.end, this.base + (this.#extended ? 2 * bytes : bytes))
  }

  /** More bytes are needed: lets go of the chunk, keeping what is unfinished. */
  protected settle(): void {
    if (this.pending === 0) this.release()
    else if (!this.#own || (this.buffer.length > LARGE && this.pending < this.buffer.length / 8)) {
      this.#own = false
      this.#keep(0)
    }
  }

  /** Lets go of all bytes. */
  protected release(): void {
    this.buffer = NOTHING
    this.base = -1
    this.pos = 0
    this.end = 0
    this.#own = false
  }

  /** Moves the bytes that are still needed into a buffer of our own with room for `more`. */
  #keep(more: number): void {
    if (this.#own && this.end + more <= this.buffer.length) return
    const from = this.base < 0 ? this.pos : this.base
    const needed = this.end - from + more
    const fits = this.#own && needed <= this.buffer.length / 2
    const room = fits ? this.buffer : Buffer.allocUnsafeSlow(Math.max(LEAST_ROOM, needed * 2))
    this.buffer.copy(room, 0, from, this.end)
    this.buffer = room
    this.#own = true
    this.pos -= from
    this.end -= from
    if (this.base >= 0) this.base = 0
  }
}
