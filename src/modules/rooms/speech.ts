/** Messages to everybody in a room (XEP-0045 §7.4). */
import { broadcast, send } from './fan-out.js'
import { inOrder } from './feature.js'
import type { Client, Occupant } from './occupant.js'
import { cleaned } from './presence.js'
import type { Room } from './room.js'
import type { Bringer } from '../../host/hooks.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Stanza } from '../../stanza/stanza.js'

/** Something that an occupant says to all. Features refuse it or change it, then it is said. */
export interface Speech {
  readonly room: Room
  readonly occupant: Occupant
  readonly client: Client
  /** As it came: from the real JID. */
  readonly said: Stanza
  /** As everybody will get it: from the occupant's address, to the room. */
  stanza: Stanza
  /** What the room calls it (XEP-0359), if it is worth a name. */
  id: string | undefined
  /** Who has sent again what everybody has had: nobody else gets it, and it is not said once more. */
  only: Client | undefined
  /** Its sender is told that we have it when this is settled; nobody else waits for it. */
  pledge(kept: Promise<unknown>): void
}

/** A groupchat message to the room. At once when nobody waits. @throws StanzaError which is the answer */
export function speak(room: Room, said: Stanza, bringer: Bringer | undefined): void | Promise<void> {
  return room.turn(() => {
    const client = room.client(said.from)
    // XEP-0045 §7.4
    if (!client || room.over) throw new StanzaError('not-acceptable', 'You are not in the room.')
    const { occupant } = client
    const { features } = room.service
    const speech: Speech = {
      room,
      occupant,
      client,
      said,
      stanza: cleaned(room, said).readdressed({ from: occupant.jid }),
      id: undefined,
      only: undefined,
      pledge: (kept) => bringer?.pledge(kept),
    }
    const pending = inOrder(features.with('speaking'), speech)
    return pending ? pending.then(() => say(speech)) : say(speech)
  })
}

function say(speech: Speech): void | Promise<void> {
  const { room, stanza, only } = speech
  if (only) return send(room, only, stanza)
  for (const spoken of room.service.features.with('spoken')) spoken(speech)
  return broadcast(room, () => stanza)
}
