/** XEP-0160, 0203, 0334: messages that wait for their reader. */
import assert from 'node:assert/strict'
import { StorageUnavailable } from '../../src/storage/errors.js'
import { scene } from '../support/stage.js'

const chat = (to: string, body: string, more = '') =>
  `<message to='${to}' type='chat' id='${body}'><body>${body}</body>${more}</message>`

scene(
  'XEP-0160 §2: kept messages are delivered once, in order, with the moment of their arrival',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    for (let i = 0; i < 250; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    const stamp = new Date(stage.clock.now()).toISOString()
    stage.clock.advance(60_000)
    await juliet.online()
    for (let i = 0; i < 250; i++) {
      await juliet.receives(
        `<message from='${romeo.full}' to='${juliet.bare}' type='chat' id='m${i}'><body>m${i}</body><delay xmlns='urn:xmpp:delay' from='${stage.domain}' stamp='${stamp}'>{any}</delay></message>`,
      )
    }
    await juliet.hearsNothingMore()
    await juliet.leaves()
    await juliet.online()
    await juliet.hearsNothingMore()
  },
)

scene('XEP-0160 §2: a negative priority gets nothing, a later change does', async ({ romeo, juliet }) => {
  await romeo.online()
  await juliet.online('<presence><priority>-1</priority></presence>')
  romeo.sends(chat(juliet.bare, 'wait'))
  await juliet.hearsNothingMore()
  juliet.sends('<presence/>')
  await juliet.receives(`<presence from='${juliet.full}'/>`)
  await juliet.receives(
    `<message type='chat' id='wait'><body>wait</body><delay xmlns='urn:xmpp:delay'>{any}</delay></message>`,
  )
  juliet.sends('<presence><show>away</show></presence>')
  await juliet.receives(`<presence from='${juliet.full}'><show>away</show></presence>`)
  await juliet.hearsNothingMore()
})

scene(
  'XEP-0160 §3: headlines, errors, groupchat, chat states and no-store are not kept',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    romeo.sends(`<message to='${juliet.bare}' type='headline'><body>news</body></message>`)
    romeo.sends(`<message to='${juliet.bare}' type='error'><body>x</body></message>`)
    romeo.sends(
      `<message to='${juliet.bare}' type='chat'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>`,
    )
    romeo.sends(chat(juliet.bare, 'gone', `<no-store xmlns='urn:xmpp:hints'/>`))
    await romeo.hearsNothingMore()
    romeo.sends(chat(juliet.bare, 'kept', `<active xmlns='http://jabber.org/protocol/chatstates'/>`))
    romeo.sends(
      `<message to='${juliet.bare}' id='receipt'><received xmlns='urn:xmpp:receipts' id='1'/></message>`,
    )
    await romeo.settled()
    await juliet.online()
    assert.equal((await juliet.next()).attrs['id'], 'kept')
    assert.equal((await juliet.next()).attrs['id'], 'receipt')
    await juliet.hearsNothingMore()
  },
)

scene('XEP-0203 §4: a delay of the sender stays beside ours', async ({ romeo, juliet, stage }) => {
  await romeo.online()
  await stage.account('juliet', juliet.domain, 'wherefore')
  const theirs = `<delay xmlns='urn:xmpp:delay' from='${romeo.full}' stamp='2020-01-01T00:00:00Z'/>`
  romeo.sends(chat(juliet.bare, 'late', theirs))
  await romeo.settled()
  await juliet.online()
  await juliet.receives(
    `<message id='late'><body>late</body>${theirs}<delay xmlns='urn:xmpp:delay' from='${stage.domain}'>{any}</delay></message>`,
  )
})

scene(
  'XEP-0203 §4, XEP-0359 §3: nobody marks messages in the name of this server',
  async ({ romeo, juliet, other, stage }) => {
    await romeo.online()
    await juliet.online()
    await other.tybalt.online()
    const delay = (from: string) =>
      `<delay xmlns='urn:xmpp:delay' from='${from}' stamp='2020-01-01T00:00:00Z'/>`
    const id = (by: string) => `<stanza-id xmlns='urn:xmpp:sid:0' by='${by}' id='1'/>`
    const forged = delay(stage.domain) + id(juliet.bare) + delay('CAPULET.example') + id(stage.domain)
    const honest =
      delay(romeo.full) + id('a@b.example') + delay('@') + id('room@rooms.example') + delay(juliet.bare)
    const ours = `<stanza-id xmlns='urn:xmpp:sid:0' by='${juliet.bare}' id='{any}'/>`
    for (const sender of [romeo, other.tybalt]) {
      sender.sends(chat(juliet.bare, 'm', forged + honest))
      const m = await juliet.receives(
        `<message from='${sender.full}'><body>m</body>${honest}${ours}</message>`,
      )
      assert.notEqual(m.childrenOf('stanza-id').at(-1)?.attrs['id'], '1')
    }
    await juliet.leaves()
    romeo.sends(chat(juliet.bare, 'kept', forged))
    await romeo.settled()
    await juliet.online()
    await juliet.receives(
      `<message><body>kept</body><delay xmlns='urn:xmpp:delay' from='${stage.domain}' stamp='${new Date(stage.clock.now()).toISOString()}'>{any}</delay></message>`,
    )
  },
)

scene(
  'XEP-0160 §2: when there is no more room the sender is told',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    for (let i = 0; i < 4; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.receives(
      `<message type='error' id='m3' from='${juliet.bare}'><error type='cancel'><service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
    )
    await juliet.online()
    for (let i = 0; i < 3; i++) assert.equal((await juliet.next()).attrs['id'], `m${i}`)
    await juliet.hearsNothingMore()
  },
  { set: ['limits.offline_messages=3'] },
)

scene(
  'P8: a store that is away refuses for now, and nothing is lost in silence',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    const { offline } = stage.stores
    const append = offline.append.bind(offline)
    offline.append = () => Promise.reject(new StorageUnavailable('away'))
    romeo.sends(chat(juliet.bare, 'now'))
    await romeo.receives(
      `<message type='error' id='now'><error type='wait'><internal-server-error xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>`,
    )
    offline.append = append
    romeo.sends(chat(juliet.bare, 'later'))
    await romeo.settled()
    await juliet.online()
    assert.equal((await juliet.next()).attrs['id'], 'later')
  },
)

scene(
  'RFC 6120 §10.1: what arrives while kept messages go out comes after them',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    for (let i = 0; i < 120; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await juliet.connects()
    juliet.sends('<presence/>')
    for (let i = 120; i < 240; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await juliet.receives(`<presence from='${juliet.full}'/>`)
    for (let i = 0; i < 240; i++) assert.equal((await juliet.next()).attrs['id'], `m${i}`)
    await juliet.hearsNothingMore()
  },
)

scene(
  'Two resources that come online at once share what was kept, nothing twice',
  async ({ romeo, juliet, juliet$phone, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    for (let i = 0; i < 150; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await juliet.connects()
    await juliet$phone.connects()
    juliet.sends('<presence/>')
    juliet$phone.sends('<presence/>')
    await stage.settled()
    const ids = []
    for (const device of [juliet, juliet$phone]) {
      while (device.waiting > 0) {
        const stanza = await device.next()
        if (stanza.local === 'message') ids.push(stanza.attrs['id'])
      }
    }
    assert.deepEqual(
      ids,
      Array.from({ length: 150 }, (_, i) => `m${i}`),
    )
  },
)

scene(
  'P10: what a session was to get behind kept messages is kept again when the server stops',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await stage.account('juliet', juliet.domain, 'wherefore')
    romeo.sends(chat(juliet.bare, 'kept'))
    await romeo.settled()
    await juliet.connects()
    const { offline } = stage.stores
    const read = offline.read.bind(offline)
    let reading = (): void => {}
    const begun = new Promise<void>((resolve) => {
      offline.read = () => {
        resolve()
        return new Promise((_, reject) => (reading = () => reject(new StorageUnavailable('away'))))
      }
    })
    juliet.sends('<presence/>')
    await begun
    romeo.sends(chat(juliet.bare, 'behind'))
    await romeo.settled()
    const stopped = stage.server.stop()
    await juliet.isDisconnected()
    await stopped
    reading()
    offline.read = read
    const account = await stage.stores.accounts.get(juliet.domain, 'juliet')
    const bodies = (await offline.read(account!.id, 0, 10)).map(
      ({ stanza }) => /<body>(.*)<\/body>/.exec(stanza)?.[1],
    )
    assert.deepEqual(bodies, ['kept', 'behind'])
  },
)
