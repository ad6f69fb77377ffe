/** Requests of one occupant to another, and the answers: neither learns the other's address (XEP-0045 §17.4). */
import { seesJids } from './anonymity.js'
import type { FeatureSource, Letter } from './feature.js'
import { withoutAddress } from './hiding.js'
import type { Client } from './occupant.js'
import { ServiceSlot } from './service.js'
import { Lru } from '../../base/lru.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'
import { NS } from '../../xml/namespaces.js'

/** A request that was passed on. */
interface Asked {
  readonly client: Client
  /** As the client calls it. */
  readonly id: string
  /** The address in the room that it asked. */
  readonly of: Jid
  /** The real one that has to answer. */
  readonly answerer: Jid
}

/** Requests of a service that wait for their answers. The oldest ones are given up first. */
const mostAsked = 10_000

/** By the id under which they were passed on: the asker's own would be somebody else's in the other's stream. */
const open = new ServiceSlot('requests between occupants', () => new Lru<string, Asked>(mostAsked))

export const occupantIq: FeatureSource = (service) => {
  const asked = service.state(open)

  function ask({ stanza, sender, to }: Letter): true {
    if (!sender) throw refusalOf(stanza.children[0]?.ns)
    if (!to) throw new StanzaError('item-not-found', 'Nobody in the room has that nickname.')
    const [client] = to.clients
    // XEP-0054 §3.3: the account answers for its card, whether its clients could or not.
    const answerer = stanza.type === 'get' && stanza.has('vCard', NS.vcard) ? to.account : client!.jid
    const id = service.host.random.id()
    void asked.set(id, { client: sender, id: stanza.id!, of: to.jid, answerer })
    service.send(stanza.readdressed({ from: sender.occupant.jid, to: answerer, id }))
    return true
  }

  /** An answer that nobody waits for any more is for nobody. */
  function answer({ room, stanza }: Letter): true {
    const id = stanza.id ?? ''
    const request = asked.get(id)
    if (!request?.answerer.equals(stanza.from)) return true
    asked.delete(id)
    const { client, of, answerer } = request
    if (room.client(client.jid) !== client) return true
    const isHidden = stanza.type === 'error' || !seesJids(client.occupant)
    const shown = isHidden ? withoutAddress(stanza, answerer.bare.toString()) : stanza
    service.send(shown.readdressed({ from: of, to: client.jid, id: request.id }))
    return true
  }

  return {
    name: 'occupant-iq',
    relay: (letter) =>
      letter.stanza.type === 'get' || letter.stanza.type === 'set' ? ask(letter) : answer(letter),
  }
}

/** XEP-0045 §6.6: who is not in may not look at occupants; nor ask anything else of them. */
function refusalOf(ns: string | undefined): StanzaError {
  const text = 'You are not in the room.'
  if (ns === NS.discoInfo || ns === NS.discoItems) return new StanzaError('bad-request', text)
  return new StanzaError('not-acceptable', text, { type: 'cancel' })
}
