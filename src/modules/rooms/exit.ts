/** Leaving a room, by one's own will or another's (XEP-0045 §7.14, §8.2, §9.1, §10.9, §11). */
import { seesJids } from './anonymity.js'
import { broadcast, send } from './fan-out.js'
import type { Client, Occupant } from './occupant.js'
import { announce, goodbye, isShown, type Farewell } from './presence.js'
import { status } from './status.js'

/** A client leaves; its occupant goes with the last one. In turn. */
export async function leave(client: Client, farewell: Farewell = {}): Promise<void> {
  const { occupant } = client
  const { room } = occupant
  const isLast = occupant.clients.length === 1
  room.clients.delete(client.jid.toString())
  // XEP-0045 §7.14: to itself first.
  say(client, client, farewell)
  if (isLast) await sayGone(occupant, client, farewell)
  occupant.clients.splice(occupant.clients.indexOf(client), 1)
  if (isLast) room.remove(occupant)
  // The others see another client of it from now on.
  else await announce(occupant)
  await gone(client, isLast)
}

/** The occupant with all its clients is put out, for the reason that `farewell` tells. In turn. */
export async function putOut(occupant: Occupant, farewell: Farewell): Promise<void> {
  const { room } = occupant
  const clients = [...occupant.clients]
  const [shown] = clients
  if (!shown) return
  for (const client of clients) {
    room.clients.delete(client.jid.toString())
    say(client, client, farewell)
  }
  await sayGone(occupant, shown, farewell)
  occupant.clients.length = 0
  room.remove(occupant)
  for (const client of clients) await gone(client, client === clients.at(-1))
}

function say(to: Client, about: Client, farewell: Farewell): void {
  const { codes = [] } = farewell
  send(to.occupant.room, to, goodbye(about, true, { ...farewell, codes: [...codes, status.self] }))
}

async function sayGone(occupant: Occupant, client: Client, farewell: Farewell): Promise<void> {
  if (!isShown(occupant)) return
  const open = goodbye(client, true, farewell)
  const closed = goodbye(client, false, farewell)
  await broadcast(occupant.room, (viewer) =>
    viewer === occupant ? undefined : seesJids(viewer) ? open : closed,
  )
}

async function gone(client: Client, isLast: boolean): Promise<void> {
  const { room } = client.occupant
  for (const left of room.service.features.with('left')) left(client, isLast)
  if (room.clients.size === 0) await room.service.emptied(room)
}
