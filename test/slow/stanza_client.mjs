/** stanza, over a bridge from WebSocket: devices, copies, the archive, avatars, bookmarks, blocking, resumption. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { check, seconds } from './check.mjs'
import { openBridge } from './websocket_bridge.mjs'

const packages = createRequire(join(process.env.CLIENTS_DIR, 'package.json'))
const { createClient } = packages('stanza')

const {
  XMPP_TLS_PORT: port,
  XMPP_DOMAIN: domain,
  XMPP_CA: ca,
  XMPP_A,
  XMPP_B,
  XMPP_PASSWORD: password,
} = process.env
const [romeo, juliet] = [`${XMPP_A}@${domain}`, `${XMPP_B}@${domain}`]
const bridge = await openBridge({ domain, port, ca })

/** A client whose events can be awaited in order. */
class Device {
  #heard = []
  #waiting = []

  constructor(account, resource) {
    this.bare = account
    this.xmpp = createClient({
      jid: account,
      resource,
      password,
      transports: { websocket: bridge.url, bosh: false },
      autoReconnect: false,
    })
    this.xmpp.on('*', (event, data) => {
      // Not what was sent or what its sockets do.
      if (event.startsWith('raw')) return
      this.#heard.push({ event, data })
      for (const look of this.#waiting) look()
    })
  }

  async start() {
    this.xmpp.connect()
    await this.next('session:started')
    this.jid = this.xmpp.jid
    return this
  }

  async online() {
    await this.start()
    await this.xmpp.getRoster()
    // XEP-0115: by itself it does not say what it wants to be told.
    this.xmpp.sendPresence({ legacyCapabilities: this.xmpp.updateCaps() })
    await this.next('available', ({ from }) => from === this.jid)
    return this
  }

  /** The first event of that name that fits and was not taken. */
  next(event, fits = () => true) {
    let look
    const found = new Promise((resolve) => {
      look = () => {
        const at = this.#heard.findIndex((one) => one.event === event && fits(one.data))
        if (at < 0) return
        this.#waiting = this.#waiting.filter((other) => other !== look)
        resolve(this.#heard.splice(at, 1)[0].data)
      }
    })
    this.#waiting.push(look)
    look()
    return seconds(20, found, event)
  }

  /** Events that nobody took, and now are. */
  take(event) {
    const taken = this.#heard.filter((one) => one.event === event)
    this.#heard = this.#heard.filter((one) => !taken.includes(one))
    return taken.map(({ data }) => data)
  }

  says(to, body) {
    return this.xmpp.sendMessage({ to, body, type: 'chat' })
  }

  async leaves() {
    // XEP-0198 §4: by itself it leaves without saying what it has heard, which would come again.
    const { started, handled } = this.xmpp.sm
    if (started) await this.xmpp.transport.send('sm', { type: 'ack', handled })
    this.xmpp.disconnect()
    await this.next('disconnected')
  }
}

const bodies = (results) => results.map(({ item }) => item.message.body)

await check('login, roster, subscriptions and chat', async () => {
  const [one, two] = [await new Device(romeo).online(), await new Device(juliet).online()]
  await one.xmpp.updateRosterItem({ jid: juliet, name: 'Juliet', groups: ['Capulet'] })
  for (const [asker, asked] of [
    [one, two],
    [two, one],
  ]) {
    asker.xmpp.subscribe(asked.bare)
    await asked.next('subscribe', ({ from }) => from === asker.bare)
    asked.xmpp.acceptSubscription(asker.bare)
    await asker.next('subscribed', ({ from }) => from === asked.bare)
    await asker.next('available', ({ from }) => from === asked.jid)
  }
  const { items } = await one.xmpp.getRoster()
  assert.deepEqual(
    items.map(({ jid, name, groups, subscription }) => ({ jid, name, groups, subscription })),
    [{ jid: juliet, name: 'Juliet', groups: ['Capulet'], subscription: 'both' }],
  )
  for (const [speaker, hearer] of [
    [one, two],
    [two, one],
  ]) {
    const text = 'Wherefore art thou <Rómeo> & "why"? 🌹'
    speaker.says(hearer.bare, text)
    const { body, from } = await hearer.next('chat')
    assert.deepEqual([body, from], [text, speaker.jid])
  }
  await one.leaves()
  await two.leaves()
})

await check('carbons: another device hears what was said and what was heard', async () => {
  const one = await new Device(romeo).online()
  const [phone, desktop] = [await new Device(juliet).online(), await new Device(juliet).online()]
  await phone.xmpp.enableCarbons()
  one.says(desktop.jid, 'for the desktop')
  assert.equal((await desktop.next('chat')).body, 'for the desktop')
  const received = await phone.next('carbon:received')
  assert.equal(received.carbon.forward.message.body, 'for the desktop')
  desktop.says(romeo, 'from the desktop')
  await one.next('chat')
  const sent = await phone.next('carbon:sent')
  assert.equal(sent.carbon.forward.message.body, 'from the desktop')
  for (const device of [one, phone, desktop]) await device.leaves()
})

await check('archive: pages of what two accounts said, from either end, the same for both', async () => {
  const [one, two] = [await new Device(romeo).online(), await new Device(juliet).online()]
  const lines = Array.from({ length: 23 }, (_, number) => `archived ${number}`)
  for (const line of lines) one.says(juliet, line)
  for (const line of lines) assert.equal((await two.next('chat')).body, line)
  for (const [device, other] of [
    [one, juliet],
    [two, romeo],
  ]) {
    const newest = await device.xmpp.searchHistory({ with: other, paging: { max: 10, before: '' } })
    assert.deepEqual(bodies(newest.results), lines.slice(13))
    assert.equal(newest.complete ?? false, false)
    const before = await device.xmpp.searchHistory({
      with: other,
      paging: { max: 10, before: newest.paging.first },
    })
    assert.deepEqual(bodies(before.results), lines.slice(3, 13))
    const after = await device.xmpp.searchHistory({
      with: other,
      paging: { max: 50, after: before.paging.last },
    })
    assert.deepEqual(bodies(after.results), lines.slice(13))
    assert.equal(after.complete, true)
    assert.ok(after.results.every(({ item }) => item.delay?.timestamp instanceof Date))
  }
  const { default: rule } = await one.xmpp.getHistoryPreferences()
  assert.ok(['always', 'roster', 'never'].includes(rule), rule)
  await one.leaves()
  await two.leaves()
})

await check('avatars: published, told to a contact, fetched', async () => {
  const [one, two] = [await new Device(romeo).online(), await new Device(juliet).online()]
  const data = Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')
  const id = createHash('sha1').update(data).digest('hex')
  await one.xmpp.publishAvatar(id, data)
  await one.xmpp.useAvatars([{ id, bytes: data.length, mediaType: 'image/png', width: 64, height: 64 }])
  const told = await two.next('avatar', ({ jid, source }) => jid === romeo && source === 'pubsub')
  assert.equal(told.avatars[0].id, id)
  const fetched = await two.xmpp.getAvatar(romeo, id)
  assert.deepEqual(Buffer.from(fetched.content.data), data)
  await one.leaves()
  await two.leaves()
})

await check('bookmarks: kept in private storage, found where others look for them', async () => {
  const [phone, desktop] = [await new Device(romeo).online(), await new Device(romeo).online()]
  const room = { jid: 'theplay@conference.example', name: 'The Play', nick: 'Romeo', autoJoin: true }
  await phone.xmpp.setPrivateData('bookmarks', { rooms: [room] })
  const { rooms } = await desktop.xmpp.getPrivateData('bookmarks')
  assert.deepEqual(rooms, [room])
  // XEP-0402, which this client does not know: it sees the items, not what is in them.
  const { items } = await desktop.xmpp.getItems('', 'urn:xmpp:bookmarks:1')
  assert.deepEqual(
    items.map(({ id }) => id),
    [room.jid],
  )
  await phone.xmpp.retract('', 'urn:xmpp:bookmarks:1', room.jid, true)
  assert.deepEqual((await desktop.xmpp.getPrivateData('bookmarks')).rooms ?? [], [])
  await phone.leaves()
  await desktop.leaves()
})

await check('blocking: a blocked contact is not heard, until unblocked', async () => {
  const [one, two] = [await new Device(romeo).online(), await new Device(juliet).online()]
  await two.xmpp.block(romeo)
  assert.deepEqual((await two.xmpp.getBlocked()).jids, [romeo])
  one.says(juliet, 'unheard')
  const bounce = await one.next('message:error')
  assert.equal(bounce.error.condition, 'service-unavailable')
  await two.xmpp.unblock(romeo)
  assert.deepEqual((await two.xmpp.getBlocked()).jids ?? [], [])
  one.says(juliet, 'heard again')
  assert.equal((await two.next('chat')).body, 'heard again')
  await one.leaves()
  await two.leaves()
})

await check('stream management: cut off, it resumes and misses nothing', async () => {
  const [one, two] = [await new Device(romeo).online(), await new Device(juliet).online()]
  assert.ok(two.xmpp.sm.resumable, 'no resumption')
  one.says(juliet, 'before')
  assert.equal((await two.next('chat')).body, 'before')
  bridge.cut()
  await Promise.all([one.next('disconnected'), two.next('disconnected')])
  one.xmpp.connect()
  await one.next('stream:management:resumed')
  for (let number = 0; number < 20; number++) one.says(juliet, `meanwhile ${number}`)
  await one.xmpp.ping(domain)
  two.take('chat')
  two.xmpp.connect()
  await two.next('stream:management:resumed')
  for (let number = 0; number < 20; number++)
    assert.equal((await two.next('chat')).body, `meanwhile ${number}`)
  await two.xmpp.ping(domain)
  assert.deepEqual(two.take('chat'), [], 'some came twice')
  assert.equal(two.xmpp.jid, two.jid)
  await one.leaves()
  await two.leaves()
})

await bridge.close()
console.log('done')
