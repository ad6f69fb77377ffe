/** Which DNS servers are asked, and whose word about DNSSEC counts. */
import { Resolver as SystemResolver } from 'node:dns'
import { BlockList, isIPv6 } from 'node:net'
import type { Clock } from '../base/clock.js'
import type { Address } from '../base/units.js'

/** Milliseconds after which the system is asked again: its network may have changed. */
const fresh = 10_000

/** The DNS servers of the system (/etc/resolv.conf), at most three like the C library. */
export class SystemServers {
  readonly #clock: Clock
  readonly #read: () => readonly string[]
  #readAt = -Infinity
  #servers: readonly Address[] = []

  constructor(clock: Clock, read: () => readonly string[] = () => new SystemResolver().getServers()) {
    this.#clock = clock
    this.#read = read
  }

  get(): readonly Address[] {
    const now = this.#clock.now()
    if (now >= this.#readAt + fresh) {
      this.#readAt = now
      this.#servers = this.#read().slice(0, 3).map(asServer)
    }
    return this.#servers
  }

  /** Asks the system again for the next question. */
  refresh(): void {
    this.#readAt = -Infinity
  }
}

/** As Node writes them: `192.0.2.1`, `192.0.2.1:54`, `2001:db8::1`, `[2001:db8::1]:54`. */
function asServer(written: string): Address {
  const found = isIPv6(written) ? null : /^\[?(.*?)\]?(?::(\d+))?$/.exec(written)
  return { host: found?.[1] ?? written, port: Number(found?.[2] ?? 53) }
}

/**
 * Whether the AD bit of a server counts: when the configuration names it, or when it is on this machine. Docker's
 * (127.0.0.11) only passes on what a server somewhere in the network says.
 */
export function isTrusted({ host }: Address, configured: boolean): boolean {
  if (configured) return true
  const loopback = new BlockList()
  loopback.addSubnet('127.0.0.0', 8)
  loopback.addAddress('::1', 'ipv6')
  return host !== '127.0.0.11' && loopback.check(host, isIPv6(host) ? 'ipv6' : 'ipv4')
}
