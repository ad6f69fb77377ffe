/** XEP-0317: what people are in a room beside their role: hats that owners make and admins put on. */
import { createHash } from 'node:crypto'
import { seesJids } from './anonymity.js'
import { broadcast } from './fan-out.js'
import type { RoomFeature } from './feature.js'
import type { ConfigField } from './fields.js'
import { standingOf } from './lists.js'
import { announce } from './presence.js'
import { affiliationMay, roleMay } from './privileges.js'
import { carryOut, infoOf, itemsOf, type RoomCommand } from './room-commands.js'
import type { Room } from './room.js'
import { mucUser, status } from './status.js'
import { StanzaError } from '../../stanza/errors.js'
import { typedTable, type Field, type Submission } from '../../stanza/forms.js'
import type { Jid } from '../../stanza/jid.js'
import { Stanza } from '../../stanza/stanza.js'
import { el } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

const formType = 'urn:xmpp:hats:commands'

/** Of a room; a hat more is refused. */
export const hatLimits = { hats: 50, wearers: 200, text: 200 }

export interface Hat {
  readonly uri: string
  readonly title: string
  /** Degrees, as a decimal number. */
  readonly hue?: string | undefined
}

interface Kept {
  readonly hats: readonly Hat[]
  /** URIs of hats by bare JID. */
  readonly worn: Readonly<Record<string, readonly string[]>>
}

/** Stored with the room's configuration, and in no form. */
const keptField: ConfigField<Kept> = {
  name: 'hats',
  type: 'hidden',
  label: '',
  initial: { hats: [], worn: {} },
  read: () => keptField.initial,
  write: () => '',
}

export const hats: RoomFeature = {
  name: 'hats',
  discovered: () => [NS.hats, NS.adHoc],
  reserved: [{ name: 'hats', ns: NS.hats }],
  items: (request, node) => (node === NS.adHoc ? itemsOf(hatCommands, request) : undefined),
  node: (request, node) => infoOf(hatCommands, request, node),
  info(room) {
    const { hats: all } = room.get(keptField)
    if (all.length === 0) return {}
    // §2: of the URIs.
    const uris = all.map(({ uri }) => uri).join('\0')
    return { 'hats#hash': createHash('sha256').update(uris).digest('hex') }
  },
  shows(presence, occupant) {
    const worn = hatsOf(occupant.room, occupant.account)
    if (worn.length === 0 || presence.type !== undefined) return presence
    return presence.withWritten('hats', NS.hats, hatsElement(worn))
  },
  iq: [
    {
      type: 'set',
      at: 'room',
      name: 'command',
      ns: NS.adHoc,
      answer: (request) => carryOut(hatCommands, request),
    },
  ],
}

/** The hats that an account wears. */
export function hatsOf(room: Room, account: Jid): readonly Hat[] {
  const { hats: all, worn } = room.get(keptField)
  const uris = own(worn, account.bare.toString())
  return uris.length === 0 ? [] : all.filter(({ uri }) => uris.includes(uri))
}

function own(worn: Kept['worn'], account: string): readonly string[] {
  return Object.hasOwn(worn, account) ? worn[account]! : []
}

/** §3.1 */
function hatsElement(worn: readonly Hat[]): string {
  const each = worn.map(({ uri, title, hue }) => el('hat', undefined, { uri, title, hue }))
  return el('hats', NS.hats, undefined, ...each).toString()
}

// Commands ------------------------------------------------------------------------------------------------------

const uriField = { name: 'hats#uri', type: 'text-single', label: 'URI of the hat', required: true } as const
const titleField = { name: 'hats#title', type: 'text-single', label: 'Title', required: true } as const
const hueField = { name: 'hats#hue', type: 'text-single', label: 'Colour, as a hue in degrees' } as const
const jidField = { name: 'hats#jid', type: 'jid-single', label: 'Address', required: true } as const

function choiceOfHats(room: Room): Field {
  const options = room.get(keptField).hats.map(({ uri, title }) => [uri, title] as const)
  return { name: 'hats#uri', type: 'list-single', label: 'Hat', required: true, open: true, options }
}

const ownersOnly = (room: Room, who: Jid) => affiliationMay(room.affiliationOf(who), 'configure')
const adminsOnly = (room: Room, who: Jid) => affiliationMay(room.affiliationOf(who), 'set members')

export const hatCommands: readonly RoomCommand[] = [
  {
    // §3.2: also for one that is there.
    node: `${formType}:create`,
    name: 'Make or change a hat',
    allowed: ownersOnly,
    form: {
      type: formType,
      texts: { title: 'A hat', instructions: 'A hat says what somebody is in this room.' },
      fields: () => [titleField, uriField, hueField],
    },
    run: (room, filled) => change(room, (kept) => withHat(room, kept, hatFrom(filled!))),
  },
  {
    // §3.3: taken off from all who wear it.
    node: `${formType}:destroy`,
    name: 'Do away with a hat',
    allowed: ownersOnly,
    form: {
      type: formType,
      texts: { title: 'Do away with a hat' },
      fields: (room) => [choiceOfHats(room)],
    },
    run: (room, filled) => change(room, (kept) => withoutHat(kept, knownHat(kept, filled!).uri)),
  },
  {
    // §3.4
    node: `${formType}:list`,
    name: 'List hats',
    allowed: (room, who) => roleMay(standingOf(room, who).role, 'be in') || adminsOnly(room, who),
    run: (room) =>
      typedTable(
        undefined,
        [titleField, uriField, hueField],
        room.get(keptField).hats.map(({ title, uri, hue = '' }) => [title, uri, hue]),
      ),
  },
  {
    // §3.5
    node: `${formType}:assign`,
    name: 'Put a hat on somebody',
    allowed: adminsOnly,
    form: {
      type: formType,
      texts: { title: 'Put a hat on somebody' },
      fields: (room) => [jidField, choiceOfHats(room)],
    },
    run: (room, filled) => change(room, (kept) => worn(room, kept, filled!, true)),
  },
  {
    // §3.6
    node: `${formType}:unassign`,
    name: 'Take a hat off somebody',
    allowed: adminsOnly,
    form: {
      type: formType,
      texts: { title: 'Take a hat off somebody' },
      fields: (room) => [jidField, choiceOfHats(room)],
    },
    run: (room, filled) => change(room, (kept) => worn(room, kept, filled!, false)),
  },
  {
    // §3.7: addresses, for those who see them.
    node: `${formType}:list-assigned`,
    name: 'List who wears which hat',
    allowed(room, who) {
      const { occupant } = standingOf(room, who)
      return adminsOnly(room, who) || (occupant !== undefined && seesJids(occupant))
    },
    run(room) {
      const { hats: all, worn: wearers } = room.get(keptField)
      const rows = Object.entries(wearers).flatMap(([jid, uris]) =>
        all.filter(({ uri }) => uris.includes(uri)).map(({ uri, title, hue = '' }) => [jid, uri, title, hue]),
      )
      return typedTable(undefined, [jidField, uriField, titleField, hueField], rows)
    },
  },
]

function hatFrom(filled: Submission): Hat {
  const uri = filled.text('hats#uri')!.trim()
  const title = filled.text('hats#title')!.trim()
  const hue = filled.text('hats#hue')?.trim()
  if (uri.length > hatLimits.text || title.length > hatLimits.text)
    throw new StanzaError('not-acceptable', `Title and URI have at most ${hatLimits.text} characters.`)
  if (title === '' || !/^[a-z][a-z0-9+.-]*:\S+$/i.test(uri))
    throw new StanzaError('not-acceptable', 'A hat has a title and a URI.')
  // XEP-0392 §5: an angle.
  if (hue && !(/^\d{1,3}(?:\.\d{1,10})?$/.test(hue) && Number(hue) <= 360))
    throw new StanzaError('not-acceptable', 'A hue is a number from 0 to 360.')
  return { uri, title, hue: hue === '' ? undefined : hue }
}

function withHat(room: Room, { hats: all, worn: wearers }: Kept, hat: Hat): Kept {
  const isKnown = all.some(({ uri }) => uri === hat.uri)
  if (!isKnown && all.length >= hatLimits.hats) throw full(room)
  const now = isKnown ? all.map((one) => (one.uri === hat.uri ? hat : one)) : [...all, hat]
  return { hats: now, worn: wearers }
}

function withoutHat({ hats: all, worn: wearers }: Kept, uri: string): Kept {
  const left = Object.entries(wearers).map(([jid, uris]) => [jid, uris.filter((one) => one !== uri)] as const)
  return {
    hats: all.filter((one) => one.uri !== uri),
    worn: Object.fromEntries(left.filter(([, uris]) => uris.length > 0)),
  }
}

/** With the hat put on, or taken off. */
function worn(room: Room, kept: Kept, filled: Submission, on: boolean): Kept {
  const { uri } = knownHat(kept, filled)
  const account = filled.jids('hats#jid')![0]!.bare.toString()
  const others = own(kept.worn, account).filter((one) => one !== uri)
  const uris = on ? [...others, uri] : others
  if (on && !Object.hasOwn(kept.worn, account) && Object.keys(kept.worn).length >= hatLimits.wearers)
    throw full(room)
  const wearers = Object.entries(kept.worn).filter(([jid]) => jid !== account)
  return {
    hats: kept.hats,
    worn: Object.fromEntries(uris.length > 0 ? [...wearers, [account, uris]] : wearers),
  }
}

function knownHat({ hats: all }: Kept, filled: Submission): Hat {
  const asked = filled.text('hats#uri')!
  const hat = all.find(({ uri }) => uri === asked)
  if (!hat) throw new StanzaError('item-not-found', 'There is no such hat.')
  return hat
}

function full(room: Room): StanzaError {
  room.service.host.hits.add('room_hats')
  return new StanzaError('resource-constraint', 'The room has too many hats, or too many who wear one.')
}

// Telling -------------------------------------------------------------------------------------------------------

async function change(room: Room, to: (kept: Kept) => Kept): Promise<void> {
  await room.turn(async () => {
    if (room.over) throw new StanzaError('item-not-found')
    const occupants = [...room.occupants.values()]
    const looks = () => occupants.map(({ account }) => JSON.stringify(hatsOf(room, account)))
    const before = looks()
    const listed = room.get(keptField).hats
    await room.change({ config: room.config.with(keptField, to(room.get(keptField))).values })
    const now = looks()
    for (const [i, occupant] of occupants.entries()) if (before[i] !== now[i]) await announce(occupant)
    // §3.2: the list is a part of the configuration.
    if (room.get(keptField).hats !== listed) await tellChanged(room)
  })
}

function tellChanged(room: Room): void | Promise<void> {
  const id = room.service.host.random.id()
  const message = Stanza.of({ kind: 'message', type: 'groupchat', id, from: room.jid }).withWritten(
    'x',
    NS.mucUser,
    mucUser(undefined, [status.configurationChanged]),
  )
  return broadcast(room, () => message)
}
