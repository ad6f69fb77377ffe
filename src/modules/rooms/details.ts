/** What a room is called and about (XEP-0045 §10.2): told to everybody who asks. */
import type { RoomFeature } from './feature.js'
import { textField, type ConfigField } from './fields.js'
import type { Room } from './room.js'
import { StanzaError } from '../../stanza/errors.js'

export const roomName = textField('muc#roomconfig_roomname', 'Name of the room', '', 200)
export const description = textField('muc#roomconfig_roomdesc', 'Description', '', 2000)

const tag = /^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/

/** A tag of BCP 47. */
export const language: ConfigField<string> = {
  ...textField('muc#roomconfig_lang', 'Language that is spoken, such as en', '', 35),
  read([value = '']) {
    const text = value.trim()
    if (text !== '' && !tag.test(text))
      throw new StanzaError('not-acceptable', 'The language is no tag such as en or pt-BR.')
    return text
  },
}

/** §6.4: a node elsewhere that belongs to the room; clients look it up. */
const node: ConfigField<string> = {
  ...textField(
    'muc#roomconfig_pubsub',
    'Pubsub node of the room, as an address that begins with xmpp:',
    '',
    500,
  ),
  read([value = '']) {
    const text = value.trim()
    if (text !== '' && !/^xmpp:[^\s]+$/.test(text))
      throw new StanzaError('not-acceptable', 'The pubsub node is no address that begins with xmpp:.')
    return text
  },
}

export const details: RoomFeature = {
  name: 'details',
  fields: [roomName, description, language, node],
  info: (room) => ({
    'muc#roominfo_description': said(room, description),
    'muc#roominfo_lang': said(room, language),
    'muc#roomconfig_pubsub': said(room, node),
  }),
}

/** What it is called, for people; its localpart when nobody has given it a name. */
export function nameOf(room: Room): string {
  return said(room, roomName) ?? room.jid.local
}

function said(room: Room, field: ConfigField<string>): string | undefined {
  const value = room.get(field)
  return value === '' ? undefined : value
}
