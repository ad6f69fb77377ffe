/** XEP-0198 for clients: `<enable/>`, `<r/>` and `<a/>` on a bound session. Streams cannot be resumed. */
import type { Client } from './c2s.js'
import { sizeOfHeld } from '../session/session.js'
import type { StreamFeature } from '../host/module.js'
import { Acks, type Asker, type Window } from '../stream/acks.js'
import { StreamError } from '../stream/errors.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import type { RawElement } from '../xml/parser.js'

/** What the streams of all clients share for it. */
export interface Managing {
  readonly window: Window
  readonly asker: Asker
}

/** Tells clients that there is stream management; what they say of it goes to `manage`. */
export const management: StreamFeature<Client> = {
  ns: NS.streamManagement,
  reads: [],
  fits: ({ authenticated, bound }) => authenticated && !bound,
  offer: () => el('sm', NS.streamManagement),
}

/** An element of stream management, whenever it comes. */
export function manage(raw: RawElement, client: Client): void {
  const { session, stream } = client
  switch (raw.name) {
    case 'r':
      if (!session?.acks) break
      return session.acks.requested()
    case 'a':
      if (!session?.acks) break
      return session.acknowledge(raw.attrs['h'])
    case 'enable':
      return enable(client)
    case 'resume':
      // XEP-0198 §5: binding still works afterwards.
      stream.send(failed(session ? 'unexpected-request' : 'feature-not-implemented'))
      return
  }
  throw new StreamError('unsupported-stanza-type')
}

/** XEP-0198 §3: once, and on a session; the counters begin with our answer. */
function enable({ session, stream, managing }: Client): void {
  if (!session || session.acks) {
    stream.send(failed('unexpected-request'))
    return
  }
  stream.send(`<enabled xmlns='${NS.streamManagement}'/>`)
  session.acks = new Acks({ stream, sizeOf: sizeOfHeld, ...managing })
}

function failed(condition: string): string {
  return `<failed xmlns='${NS.streamManagement}'><${condition} xmlns='${NS.stanzaErrors}'/></failed>`
}

/** Looks now and then whether a client whose window is full still acknowledges. */
export class Patience {
  #count = -1
  #since = 0

  /** Whether `ms` have gone by without an acknowledgement. */
  isOver({ session }: Client, now: number, ms: number): boolean {
    const acks = session?.acks
    if (!acks?.full) this.#count = -1
    else if (acks.acknowledgedCount !== this.#count) {
      this.#count = acks.acknowledgedCount
      this.#since = now
    } else return now - this.#since >= ms
    return false
  }
}
