/** To everybody in a room: one text for all, in slices between which others go first. */
import type { Client, Occupant } from './occupant.js'
import type { Room } from './room.js'
import { othersFirst } from '../../base/turn.js'
import type { Stanza } from '../../stanza/stanza.js'

/** Stanzas that are written before others get a turn: well under a millisecond. */
const slice = 100

/**
 * Sends to each client what `choose` gives for its occupant, which is best one of few shared stanzas. At once in rooms of
 * one slice. In turn, so what comes later waits until everybody has this.
 */
export function broadcast(
  room: Room,
  choose: (occupant: Occupant) => Stanza | undefined,
): void | Promise<void> {
  const clients = room.clients.values()
  if (room.clients.size > slice) return inSlices(room, clients, choose)
  for (const client of clients) {
    const stanza = choose(client.occupant)
    if (stanza) send(room, client, stanza)
  }
}

async function inSlices(
  room: Room,
  clients: Iterable<Client>,
  choose: (occupant: Occupant) => Stanza | undefined,
): Promise<void> {
  let sent = 0
  for (const client of clients) {
    const stanza = choose(client.occupant)
    if (!stanza) continue
    send(room, client, stanza)
    if (++sent % slice === 0) await othersFirst()
  }
}

/** To one client. */
export function send(room: Room, client: Client, stanza: Stanza): void {
  room.service.send(stanza.readdressed({ to: client.jid }))
}
