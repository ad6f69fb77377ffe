/** The hosts file of the system: addresses that go before DNS (hosts(5)). */
import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Clock } from '../base/clock.js'
import type { AddressRecord } from './records.js'

/** Milliseconds after which it is looked whether the file has changed. */
const fresh = 5000

export class HostsFile {
  readonly #path: string
  readonly #clock: Clock
  #checkedAt = -Infinity
  #state = ''
  #names: ReadonlyMap<string, readonly AddressRecord[]> = new Map()

  /** The file need not exist. */
  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  /** The addresses of a name in lower case; undefined when the file does not have it. */
  find(name: string): readonly AddressRecord[] | undefined {
    this.#refresh()
    return this.#names.get(name)
  }

  #refresh(): void {
    const now = this.#clock.now()
    if (now < this.#checkedAt + fresh) return
    this.#checkedAt = now
    try {
      const { mtimeMs, size, ino } = statSync(this.#path)
      const state = `${mtimeMs} ${size} ${ino}`
      if (state === this.#state) return
      this.#names = parseHosts(readFileSync(this.#path, 'utf8'))
      this.#state = state
    } catch {
      this.#names = new Map()
      this.#state = ''
    }
  }
}

/** `ADDRESS NAME NAME # comment` in lines; lines that are something else are skipped. */
export function parseHosts(text: string): ReadonlyMap<string, readonly AddressRecord[]> {
  const names = new Map<string, AddressRecord[]>()
  for (const line of text.split('\n')) {
    const [address = '', ...rest] = line.replace(/#.*/, '').trim().split(/\s+/)
    const family = isIP(address)
    if (family === 0) continue
    for (const written of rest) {
      const name = written.toLowerCase().replace(/\.$/, '')
      const known = names.get(name) ?? []
      if (known.some((one) => one.address === address)) continue
      known.push({ address, family: family as 4 | 6 })
      names.set(name, known)
    }
  }
  return names
}
