/** What only this server says of an account, or a service of itself, is taken off what others say (XEP-0203, XEP-0313, XEP-0359). */
import { options } from '../base/schema.js'
import { hook } from '../host/hooks.js'
import { defineModule } from '../host/module.js'
import { StanzaError } from '../stanza/errors.js'
import { readJid } from '../stanza/jid.js'
import { withoutIdsBy } from '../stanza/stanza-id.js'
import type { Stanza } from '../stanza/stanza.js'
import type { Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

export default defineModule({
  name: 'forged-marks',
  summary: 'Takes off messages and requests of others what only this server may say of an account',
  xeps: [],
  options: options({}),

  setup({ address }) {
    function withoutForgeries(stanza: Stanza): Stanza {
      const { from, to } = stanza
      if (!stanza.payload.spans.some(isMark) || from.equals(address)) return stanza
      const isForged = ({ attrs }: Element) => readJid(attrs['from'] ?? '')?.equals(address) === true
      const honest = isPerson(stanza) ? withoutServices(stanza) : stanza
      return withoutIdsBy(honest.withoutChildren('delay', NS.delay, isForged), address, to!.bare)
    }

    return {
      hooks: [
        hook('received', 'stamp', ['message'], withoutForgeries),
        hook('received', 'guard', ['iq'], refuseForged),
      ],
    }
  },
})

/** Most messages have none of them. */
function isMark({ ns }: { readonly ns: string }): boolean {
  return marks.has(ns)
}

const marks: ReadonlySet<string> = new Set([NS.delay, NS.stanzaIds, NS.archive, NS.pubsubEvent])

/** A resource speaks, and no service: those have addresses without one. */
function isPerson({ from }: Stanza): boolean {
  return from.local !== '' && !from.isBare
}

/** XEP-0313 §4.2, XEP-0060 §7.1.2.1: results of archives and events of nodes. */
function withoutServices(stanza: Stanza): Stanza {
  return stanza.withoutChildren('result', NS.archive).withoutChildren('event', NS.pubsubEvent)
}

/** RFC 6121 §2.1.6, XEP-0191 §3.3: the server itself pushes to its clients; these are on the road from somebody else. */
function refuseForged({ type, to, children }: Stanza): StanzaError | undefined {
  if (type !== 'set' || to!.isBare) return undefined
  return pushed.has(children[0]?.ns) ? new StanzaError('service-unavailable') : undefined
}

const pushed: ReadonlySet<string | undefined> = new Set([NS.roster, NS.blocking])
