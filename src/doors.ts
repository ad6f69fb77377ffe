/** All listeners of streams: opened by the configuration, reviewed by a reload, closed at the end. */
import type { Clock } from './base/clock.js'
import type { Log } from './base/log.js'
import type { Metrics } from './base/metrics.js'
import type { Address } from './base/schema.js'
import type { ServerConfig } from './config/server.js'
import type { Server } from './server.js'
import type { Transport } from './stream/transport.js'
import type { Admission } from './tls/admission.js'
import type { Certificates } from './tls/certificates.js'
import { Listener, tryAddress, type ListenerKind, type ListenerSide } from './tls/listener.js'

interface Door {
  readonly side: ListenerSide
  readonly kind: ListenerKind
  readonly host: string
  readonly listener: Listener
}

export interface DoorParts {
  readonly server: Server
  readonly certificates: Certificates
  /** Clients may show a certificate. */
  readonly asksClients: boolean
  readonly admission: Admission
  readonly metrics: Metrics
  readonly clock: Clock
  readonly log: Log
}

export class Doors {
  readonly #parts: DoorParts
  #open: Door[] = []

  constructor(parts: DoorParts) {
    this.#parts = parts
  }

  /** Opens those that a configuration wants and that are not there yet. Rejects with `ListenError`; then none of them. */
  async open(config: ServerConfig): Promise<void> {
    const opened: Door[] = []
    try {
      await this.#openInto(opened, config)
    } catch (error) {
      for (const { listener } of opened) listener.close()
      throw error
    }
    this.#open.push(...opened)
  }

  async #openInto(opened: Door[], { listen, component, limits }: ServerConfig): Promise<void> {
    const wanted = [
      ['client', 'starttls', listen.c2s],
      ['client', 'direct', listen.c2sTls],
      ['client', 'plain', listen.c2sPlain],
      ['server', 'starttls', listen.s2s],
      ['server', 'direct', listen.s2sTls],
      ['component', 'plain', component.size > 0 ? listen.component : []],
    ] as const
    const { server, certificates, asksClients, ...shared } = this.#parts
    const accept = {
      client: (transport: Transport) => server.accept(transport),
      server: (transport: Transport) => server.acceptServer(transport),
      component: (transport: Transport) => server.acceptComponent(transport),
    }
    for (const [side, kind, addresses] of wanted) {
      if (this.#open.some((door) => door.side === side && door.kind === kind)) continue
      for (const address of addresses) {
        const listener = await Listener.open({
          ...shared,
          kind,
          side,
          address,
          certificates: side === 'component' ? undefined : certificates,
          asksClients,
          highWater: highWater(limits),
          onConnection: accept[side],
        })
        opened.push({ side, kind, host: address.host, listener })
      }
    }
  }

  /** After a reload: closes what is no longer wanted, and takes over the limits. */
  review({ component, limits }: ServerConfig): void {
    const closed = component.size > 0 ? [] : this.#open.filter(({ side }) => side === 'component')
    for (const { listener } of closed) listener.close()
    this.#open = this.#open.filter((door) => !closed.includes(door))
    for (const { listener } of this.#open) listener.highWater = highWater(limits)
  }

  /** Where certificates are shown: `s2s_tls [::]:5270`, named as in the configuration. */
  get secured(): string[] {
    return this.#open.flatMap(({ side, kind, host, listener }) => {
      if (kind === 'plain') return []
      const name = `${side === 'server' ? 's2s' : 'c2s'}${kind === 'direct' ? '_tls' : ''}`
      return [`${name} ${host.includes(':') ? `[${host}]` : host}:${listener.port}`]
    })
  }

  addresses(side: ListenerSide, kind: ListenerKind): Address[] {
    return this.#open
      .filter((door) => door.side === side && door.kind === kind)
      .map(({ host, listener }) => ({ host, port: listener.port }))
  }

  /** Accepts no more. */
  stop(): void {
    for (const { listener } of this.#open) listener.stop()
  }

  /** Waits until the last stream has taken its goodbye, so many milliseconds at most. */
  async allClosed(within: number): Promise<void> {
    const { clock } = this.#parts
    const end = clock.now() + within
    while (this.#open.some(({ listener }) => listener.connections > 0) && clock.now() < end) {
      await new Promise<void>((resolve) => void clock.after(20, resolve))
    }
  }

  close(): void {
    for (const { listener } of this.#open.splice(0)) listener.close()
  }
}

/** Whether all addresses of a configuration can be opened. Rejects with `ListenError`. */
export async function tryDoors({ listen, component }: ServerConfig): Promise<void> {
  const { c2s, c2sTls, c2sPlain, s2s, s2sTls, management } = listen
  const components = component.size > 0 ? listen.component : []
  for (const address of [...c2s, ...c2sTls, ...c2sPlain, ...s2s, ...s2sTls, ...components, ...management])
    await tryAddress(address)
}

/** A limit of what may wait is kept even where nobody is paused before it. */
export function highWater(limits: ServerConfig['limits']): number {
  return Math.min(limits.writePause, limits.writeQueue)
}
