/** The bytes between the socket and the scanner: pushed chunks as they are, copied only when one element needs several. */
import { isAscii } from 'node:buffer'

const NOTHING = Buffer.alloc(0)
const LEAST_ROOM = 512
const LARGE = 65_536

/** What is being read begins at `base`; its offsets are counted from there, so that the bytes can move. */
export class Intake {
  /** Holds the bytes from `base` (or `pos`) to `end`; a pushed chunk itself while it suffices. */
  protected buffer: Buffer = NOTHING
  /** The next byte to look at. */
  protected pos = 0
  /** Where the element or header at hand begins, or -1 between them. */
  protected base = -1
  protected end = 0
  /** Whether all bytes in `buffer` are known to be ASCII. */
  protected ascii = true
  /** Whether `buffer` is ours, not a chunk. */
  #own = false

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
