/** What waits for a client that nobody looks at: in order, of what replaces each other only the last. */
import { Stanza } from '../../stanza/stanza.js'

/** What a stanza costs beside its payload, in bytes and roughly. */
const overhead = 512

export class Backlog {
  readonly #waiting = new Map<string, Stanza>()
  #bytes = 0
  #count = 0

  get length(): number {
    return this.#waiting.size
  }

  /** Roughly the memory that it takes. */
  get bytes(): number {
    return this.#bytes
  }

  /** Puts a stanza at the end; an earlier one of the same word goes, unless the word is ''. */
  add(stanza: Stanza, word: string): void {
    const key = word === '' ? String(this.#count++) : word
    this.#remove(key)
    this.#waiting.set(key, stanza)
    this.#bytes += costOf(stanza)
  }

  /** All of them, and nothing waits any more. */
  take(): readonly Stanza[] {
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    this.#bytes = 0
    return all
  }

  /** What waits as pairs of words and text, fit for JSON. */
  toJSON(): readonly (readonly [string, string])[] {
    return [...this.#waiting].map(([word, stanza]) => [word, stanza.toStandaloneXml()])
  }

  /** Puts back what `toJSON` gave. */
  restore(saved: readonly (readonly [string, string])[]): void {
    for (const [word, text] of saved) this.add(Stanza.parse(text), /^\d+$/.test(word) ? '' : word)
  }

  #remove(key: string): void {
    const before = this.#waiting.get(key)
    if (!before) return
    this.#waiting.delete(key)
    this.#bytes -= costOf(before)
  }
}

function costOf({ payload }: Stanza): number {
  return payload.text.length + overhead
}
