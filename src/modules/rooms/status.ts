/** Status codes of `muc#user` (XEP-0045 §16.6), and the `<x/>` that carries them. */
import { NS } from '../../xml/namespaces.js'
import { escapeAttribute, escapeText } from '../../xml/write.js'

export const status = {
  /** Everybody may see the full JID of the one who enters. */
  nonAnonymous: 100,
  affiliationChangedElsewhere: 101,
  configurationChanged: 104,
  self: 110,
  logged: 170,
  notLogged: 171,
  nowNonAnonymous: 172,
  nowSemiAnonymous: 173,
  created: 201,
  nickChangedByRoom: 210,
  banned: 301,
  nickChanged: 303,
  kicked: 307,
  affiliationLost: 321,
  membersOnly: 322,
  shutdown: 332,
  technical: 333,
} as const

export type StatusCode = (typeof status)[keyof typeof status]

/** What an `<x/>` of `muc#user` says of somebody. */
export interface Item {
  readonly affiliation: string
  readonly role: string
  /** Full JID, for those who may see it. */
  readonly jid?: string | undefined
  /** The one that follows, with 303. */
  readonly nick?: string | undefined
  readonly reason?: string | undefined
  /** Nick of who did it. */
  readonly actor?: string | undefined
}

/** The `<x/>` as text. `more`: children that are written already, such as `<destroy/>`. */
export function mucUser(item: Item | undefined, codes: Iterable<number> = [], more = ''): string {
  let xml = `<x xmlns='${NS.mucUser}'>`
  if (item) xml += written(item)
  xml += more
  for (const code of codes) xml += `<status code='${code}'/>`
  return `${xml}</x>`
}

function written({ affiliation, role, jid, nick, reason, actor }: Item): string {
  let xml = `<item affiliation='${affiliation}' role='${role}'`
  if (jid !== undefined) xml += ` jid='${escapeAttribute(jid)}'`
  if (nick !== undefined) xml += ` nick='${escapeAttribute(nick)}'`
  if (reason === undefined && actor === undefined) return `${xml}/>`
  xml += '>'
  if (actor !== undefined) xml += `<actor nick='${escapeAttribute(actor)}'/>`
  if (reason !== undefined) xml += `<reason>${escapeText(reason)}</reason>`
  return `${xml}</item>`
}
