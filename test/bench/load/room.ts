/** A room on the server under load (XEP-0045): somebody makes it, and a crowd comes in. */
import { Client, letters, pool, type Target } from './client.js'

const muc = 'http://jabber.org/protocol/muc'

/** The service of rooms, which every server under load has there. */
export function serviceOf({ domain }: Target): string {
  return `conference.${domain}`
}

export class Room {
  readonly address: string
  readonly #fields: string

  /** `fields`: what its owner sets, as items of a data form (XEP-0045 §10.1.3); else the room is instant (§10.1.2). */
  constructor(target: Target, name: string, fields = '') {
    this.address = `${name}@${serviceOf(target)}`
    this.#fields = fields
  }

  /** Makes the room and stays in it as its owner. */
  async make(client: Client, nick: string): Promise<void> {
    await this.join(client, nick)
    const id = `make-${nick}`
    const form =
      this.#fields === ''
        ? ''
        : `<field var='FORM_TYPE' type='hidden'><value>${muc}#roomconfig</value></field>${this.#fields}`
    const made = await client.ask(
      `<iq type='set' to='${this.address}' id='${id}'><query xmlns='${muc}#owner'><x xmlns='jabber:x:data' type='submit'>${form}</x></query></iq>`,
      id,
    )
    if (!/ type=['"]result/.test(made)) throw new Error(`${this.address} was not made: ${made.slice(0, 300)}`)
  }

  /** Comes in; resolves at the own presence, before which those of all others have come (XEP-0045 §7.2.2). */
  async join(client: Client, nick: string): Promise<void> {
    const own = `${this.address}/${nick}`
    const echo = client.next(
      (text, start, end, letter) => letter === letters.presence && isAbout(text.slice(start, end), own),
    )
    client.write(`<presence to='${own}'><x xmlns='${muc}'><history maxstanzas='0'/></x></presence>`)
    const answer = await echo
    if (/ type=['"]error/.test(answer)) throw new Error(`${own} was refused: ${answer.slice(0, 300)}`)
  }

  /** Goes out; resolves at the own presence. */
  async leave(client: Client, nick: string): Promise<void> {
    const own = `${this.address}/${nick}`
    const echo = client.next(
      (text, start, end, letter) => letter === letters.presence && isAbout(text.slice(start, end), own),
    )
    client.write(`<presence type='unavailable' to='${own}'/>`)
    await echo
  }
}

/** Logs in `count` users, who come into the room under their own names, the first one as its maker. */
export async function gather(target: Target, room: Room, count: number): Promise<Client[]> {
  const clients = Array.from({ length: count }, (_, index) => new Client(target, `user${index}`))
  await pool(count, 16, async (index) => clients[index]?.login())
  await room.make(clients[0]!, nickOf(0))
  await pool(count - 1, 8, async (index) => room.join(clients[index + 1]!, nickOf(index + 1)))
  return clients
}

export function nickOf(index: number): string {
  return `nick${index}`
}

/** The presence of the address itself: what its client waits for, or that it may not be there. */
function isAbout(presence: string, own: string): boolean {
  return presence.includes(`'${own}'`) || presence.includes(`"${own}"`)
}
