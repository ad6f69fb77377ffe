/** Rooms that take a password to enter (XEP-0045 §7.2.5). */
import type { RoomFeature } from './feature.js'
import { flagField, secretField } from './fields.js'
import type { Room } from './room.js'
import { StanzaError } from '../../stanza/errors.js'
import { NS } from '../../xml/namespaces.js'

const isProtected = flagField('muc#roomconfig_passwordprotectedroom', 'A password is needed to enter', false)
const secret = secretField('muc#roomconfig_roomsecret', 'The password')

export const passwords: RoomFeature = {
  name: 'passwords',
  fields: [isProtected, secret],
  discovered: (room) => [passwordOf(room) === undefined ? 'muc_unsecured' : 'muc_passwordprotected'],
  acceptable(config) {
    // §10.1.3
    if (config.get(isProtected) && config.get(secret) === '')
      throw new StanzaError('not-acceptable', 'A room that takes a password needs one.')
  },
  entering({ room, x, isNew }) {
    const password = passwordOf(room)
    if (password === undefined || isNew) return
    if (x.child('password', NS.muc)?.text !== password)
      throw new StanzaError('not-authorized', 'The room takes a password.')
  },
}

/** Undefined: it takes none. A room that is to be protected by nothing is not. */
export function passwordOf({ config }: Pick<Room, 'config'>): string | undefined {
  const password = config.get(secret)
  return config.get(isProtected) && password !== '' ? password : undefined
}
