/** Leaving a room, by one's own will or another's (XEP-0045 §7.14, §8.2, §9.1, §10.9, §11). */
import { send } from './fan-out.js'
import type { Client, Occupant } from './occupant.js'
import { announce, goodbye, tellGone, type Farewell } from './presence.js'
import type { Room } from './room.js'
import { status } from './status.js'

/** A client leaves; its occupant goes with the last one. In turn. */
export async function leave(client: Client, farewell: Farewell = {}): Promise<void> {
  const { occupant } = client
  const { room } = occupant
  const isLast = occupant.clients.length === 1
  room.clients.delete(client.jid.toString())
  // XEP-0045 §7.14: to itself first.
  say(client, client, farewell)
  if (isLast) await tellGone(client, farewell)
  occupant.drop(client)
  if (isLast) room.remove(occupant)
  // The others see another client of it from now on.
  else await announce(occupant)
  forgotten(client, isLast)
  await emptied(room)
}

/** Somebody who has to go, with all clients, for the reason that `farewell` tells. */
export interface PutOut {
  readonly occupant: Occupant
  readonly farewell: Farewell
}

/** The occupant with all its clients is put out. In turn. */
export function putOut(occupant: Occupant, farewell: Farewell): Promise<void> {
  return putOutAll(occupant.room, [{ occupant, farewell }])
}

/** The same with several: each is told itself, then comes what is to be said `between`, then all others are told. In turn. */
export async function putOutAll(
  room: Room,
  leaving: readonly PutOut[],
  between: () => void = () => undefined,
): Promise<void> {
  const going = leaving.map(({ occupant, farewell }) => ({
    occupant,
    farewell,
    clients: [...occupant.clients],
  }))
  for (const { farewell, clients } of going)
    for (const client of clients) {
      room.clients.delete(client.jid.toString())
      say(client, client, farewell)
    }
  between()
  for (const { occupant, farewell, clients } of going) {
    await tellGone(clients[0]!, farewell)
    occupant.clients.length = 0
    room.remove(occupant)
    for (const client of clients) forgotten(client, client === clients.at(-1))
  }
  if (going.length > 0) await emptied(room)
}

function say(to: Client, about: Client, farewell: Farewell): void {
  const { codes = [] } = farewell
  send(to.occupant.room, to, goodbye(about, true, { ...farewell, codes: [...codes, status.self] }))
}

function forgotten(client: Client, isLast: boolean): void {
  for (const left of client.occupant.room.service.features.with('left')) left(client, isLast)
}

async function emptied(room: Room): Promise<void> {
  if (room.clients.size === 0) await room.service.emptied(room)
}
