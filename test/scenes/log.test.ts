/** What the log says of people: who and when, never what they know or write. */
import assert from 'node:assert/strict'
import { friends } from '../support/friends.js'
import { scene } from '../support/stage.js'
import { StorageUnavailable } from '../../src/storage/errors.js'

const SASL = 'urn:ietf:params:xml:ns:xmpp-sasl'
const REGISTER = 'jabber:iq:register'

scene(
  'no password, body or stanza is logged down to the level debug',
  async ({ romeo, juliet, nurse, paris, stage }) => {
    const word = 'o-happy-dagger'
    await romeo.online()
    await juliet.online(`<presence><status>${word}</status></presence>`)
    await friends(romeo, juliet)
    await stage.account('nurse', juliet.domain, 'wherefore')

    // Logins that fail, in every way.
    await nurse.opens()
    nurse.raw(`<auth xmlns='${SASL}' mechanism='PLAIN'>${nurse.plain(word)}</auth>`)
    await nurse.receives(`<failure xmlns='${SASL}'><not-authorized/></failure>`)
    nurse.raw(`<auth xmlns='${SASL}' mechanism='${word}'>${word}</auth>`)
    await nurse.receives(`<failure xmlns='${SASL}'><invalid-mechanism/></failure>`)
    nurse.raw(`<${word}`)
    nurse.raw(`<<`)
    await nurse.isDisconnected('not-well-formed')

    // An account and its password.
    await paris.opens()
    const fields = `<username>paris</username><password>${word}</password>`
    await paris.asks(`<iq type='set' id='r'><query xmlns='${REGISTER}'>${fields}</query></iq>`)
    await romeo.sets(
      `<query xmlns='${REGISTER}'><username>romeo</username><password>${word}</password></query>`,
    )

    // Stanzas that arrive, are kept, refused, or fail.
    const body = `<body>${word}</body>`
    romeo.sends(`<message to='${juliet.bare}' type='chat'>${body}</message>`)
    romeo.sends(`<message to='${nurse.bare}' type='chat'>${body}</message>`)
    romeo.sends(`<message to='nobody@${stage.domain}' type='chat'>${body}</message>`)
    romeo.sends(`<message to='@' type='chat'>${body}</message>`)
    romeo.sends(`<message to='${juliet.bare}'>${body}${'<a/>'.repeat(200)}</message>`)
    romeo.sends(`<presence><status>${word}</status></presence>`)
    await romeo.settled()
    const { offline, rosters } = stage.stores
    offline.append = () => Promise.reject(new StorageUnavailable('away'))
    rosters.load = () => Promise.reject(new Error('broken'))
    romeo.sends(`<message to='${nurse.bare}' type='chat'>${body}</message>`)
    await romeo.settled()
    romeo.sends(`<presence from='x@y.z'><status>${word}</status></presence>`)
    await romeo.isGone()

    const log = stage.logged.join('\n')
    for (const event of [
      'c2s.auth.failed',
      'c2s.bound',
      'account.registered',
      'offline.failed',
      'stream.error',
    ])
      assert.ok(log.includes(event), `${event} was logged`)
    for (const secret of [
      word,
      'wherefore',
      nurse.plain(word),
      romeo.plain(),
      '<message',
      '<presence',
      '<auth',
    ])
      assert.ok(!log.includes(secret), `${secret} in ${log}`)
  },
  { logLevel: 'debug', set: ['modules.registration.enabled=true', 'limits.elements=150'] },
)
