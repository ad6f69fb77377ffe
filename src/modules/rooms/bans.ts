/** Who is kept out: outcasts, everybody of a banned domain, and what owners ban by pattern (XEP-0045 §7.2.7, §9.2). */
import { putOutAll } from './exit.js'
import type { RoomFeature } from './feature.js'
import type { ConfigField } from './fields.js'
import type { Room } from './room.js'
import { status } from './status.js'
import { StanzaError } from '../../stanza/errors.js'
import { JidError, prepareDomain, type Jid } from '../../stanza/jid.js'

/** Of the list in the form. */
const most = 500

/** `*.spam.example` is every domain below, `spam.example` that one: as many as the owner likes without a list of JIDs. */
const bannedDomains: ConfigField<readonly string[]> = {
  name: 'muc#roomconfig_banneddomains',
  type: 'text-multi',
  label: 'Banned domains, one in a line; *.domain for all below it',
  initial: [],
  read(values) {
    const patterns = new Set(values.filter((value) => value.trim() !== '').map(readPattern))
    if (patterns.size > most)
      throw new StanzaError('not-acceptable', `At most ${most} domains are banned by the form.`)
    return [...patterns]
  },
  write: (value) => value,
}

export const bans: RoomFeature = {
  name: 'bans',
  fields: [bannedDomains],
  entering({ room, from }) {
    if (isBanned(room, from)) throw new StanzaError('forbidden', 'You are banned from this room.')
  },
  async configured(room) {
    const leaving = [...room.occupants.values()].filter(({ account }) => isBanned(room, account))
    await putOutAll(
      room,
      leaving.map((occupant) => ({ occupant, farewell: { codes: [status.banned] } })),
    )
  },
}

/** §9.2: the address itself counts first, then its domain, as an address in the list or in the form. */
export function isBanned(room: Room, jid: Jid): boolean {
  const own = room.affiliationOf(jid)
  if (own !== 'none') return own === 'outcast'
  if (room.affiliations.get(jid.domain)?.affiliation === 'outcast') return true
  return room.get(bannedDomains).some((pattern) => fits(jid.domain, pattern))
}

function fits(domain: string, pattern: string): boolean {
  return pattern.startsWith('*.') ? domain.endsWith(pattern.slice(1)) : domain === pattern
}

/** @throws StanzaError `not-acceptable` */
function readPattern(text: string): string {
  const pattern = text.trim()
  const below = pattern.startsWith('*.')
  try {
    const domain = prepareDomain(below ? pattern.slice(2) : pattern)
    return below ? `*.${domain}` : domain
  } catch (error) {
    if (!(error instanceof JidError)) throw error
    throw new StanzaError('not-acceptable', 'One of the banned domains is none.')
  }
}
