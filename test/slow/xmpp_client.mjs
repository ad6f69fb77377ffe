/** @xmpp/client: two people meet, chat, part and read what came meanwhile. NODE_EXTRA_CA_CERTS names the certificate. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { check, seconds } from './check.mjs'

const packages = createRequire(join(process.env.CLIENTS_DIR, 'package.json'))
const { client, xml } = await import(pathToFileURL(packages.resolve('@xmpp/client')).href)
const { XMPP_PORT, XMPP_TLS_PORT, XMPP_DOMAIN: domain, XMPP_A, XMPP_B, XMPP_PASSWORD } = process.env
const [romeo, juliet] = [`${XMPP_A}@${domain}`, `${XMPP_B}@${domain}`]
const NS = { roster: 'jabber:iq:roster', ping: 'urn:xmpp:ping', delay: 'urn:xmpp:delay' }

/** A client that keeps what it hears; `next` takes the first stanza that fits, waiting for it. */
class Person {
  #heard = []
  #waiting = []

  constructor(account, { service = `xmpp://127.0.0.1:${XMPP_PORT}`, password = XMPP_PASSWORD } = {}) {
    this.bare = account
    this.xmpp = client({ service, domain, username: account.split('@')[0], password })
    this.xmpp.reconnect.stop()
    this.xmpp.on('error', () => {}) // `start` rejects with it
    this.xmpp.on('stanza', (stanza) => {
      this.#heard.push(stanza)
      for (const look of this.#waiting) look()
    })
  }

  async start() {
    this.jid = String(await seconds(20, this.xmpp.start(), 'a login'))
    assert.ok(this.jid.startsWith(`${this.bare}/`), this.jid)
    return this
  }

  async online() {
    await this.start()
    await this.ask(xml('iq', { type: 'get' }, xml('query', NS.roster)))
    await this.say(xml('presence'))
    await this.next((it) => it.is('presence') && it.attrs.from === this.jid)
    return this
  }

  say(stanza) {
    return this.xmpp.send(stanza)
  }

  ask(iq) {
    return this.xmpp.iqCaller.request(iq, 30_000)
  }

  next(fits, what = 'stanza') {
    let look
    const stop = () => (this.#waiting = this.#waiting.filter((other) => other !== look))
    const found = new Promise((resolve) => {
      look = () => {
        const at = this.#heard.findIndex(fits)
        if (at < 0) return
        stop()
        resolve(this.#heard.splice(at, 1)[0])
      }
    })
    this.#waiting.push(look)
    look()
    return seconds(30, found, what).finally(stop)
  }

  count(fits) {
    return this.#heard.filter(fits).length
  }

  stop() {
    return seconds(10, this.xmpp.stop(), 'an end of the stream')
  }
}

const isChat = (it) => it.is('message') && it.getChild('body')
const chat = (to, body) => xml('message', { to, type: 'chat' }, xml('body', {}, body))
const ping = () => xml('iq', { type: 'get', to: domain }, xml('ping', NS.ping))

await check('STARTTLS, certificate verified, SCRAM-SHA-1', async () => {
  const person = await new Person(romeo).start()
  assert.ok(person.xmpp.socket.socket.authorized, 'the certificate was not verified')
  await person.stop()
})

await check('direct TLS, certificate verified', async () => {
  // The client verifies the name it connects to: the certificate is one of localhost.
  const person = await new Person(romeo, { service: `xmpps://localhost:${XMPP_TLS_PORT}` }).start()
  await person.stop()
})

await check('a wrong password is refused with not-authorized', async () => {
  const person = new Person(romeo, { password: 'wrong' })
  await assert.rejects(seconds(20, person.xmpp.start(), 'a refusal'), { condition: 'not-authorized' })
  await person.xmpp.stop().catch(() => {})
})

await check('roster, subscriptions, presence and chat', async () => {
  const [one, two] = [await new Person(romeo).online(), await new Person(juliet).online()]
  await one.ask(
    xml(
      'iq',
      { type: 'set' },
      xml('query', NS.roster, xml('item', { jid: juliet, name: 'Juliet' }, xml('group', {}, 'Capulet'))),
    ),
  )
  for (const [asker, asked] of [
    [one, two],
    [two, one],
  ]) {
    await asker.say(xml('presence', { type: 'subscribe', to: asked.bare }))
    await asked.next((it) => it.attrs.type === 'subscribe' && it.attrs.from === asker.bare, 'subscribe')
    await asked.say(xml('presence', { type: 'subscribed', to: asker.bare }))
    await asker.next((it) => it.attrs.type === 'subscribed' && it.attrs.from === asked.bare, 'subscribed')
    await asker.next((it) => it.is('presence') && !it.attrs.type && it.attrs.from === asked.jid, 'presence')
  }
  const roster = await one.ask(xml('iq', { type: 'get' }, xml('query', NS.roster)))
  const item = roster
    .getChild('query', NS.roster)
    .getChildren('item')
    .find((it) => it.attrs.jid === juliet)
  assert.deepEqual(
    [item.attrs.subscription, item.attrs.name, item.getChildText('group')],
    ['both', 'Juliet', 'Capulet'],
  )

  for (const [speaker, hearer] of [
    [one, two],
    [two, one],
  ]) {
    const text = 'Wherefore art thou <Rómeo> & "why"? 🌹'
    await speaker.say(chat(hearer.bare, text))
    const heard = await hearer.next(isChat, 'message')
    assert.deepEqual([heard.getChildText('body'), heard.attrs.from], [text, speaker.jid])
  }
  await one.stop()
  await two.next((it) => it.attrs.type === 'unavailable' && it.attrs.from === one.jid, 'unavailable')
  await two.stop()
})

await check('twenty messages wait in order, once', async () => {
  const one = await new Person(romeo).online()
  const lines = Array.from({ length: 20 }, (_, number) => `line ${number}`)
  for (const line of lines) await one.say(chat(juliet, line))
  await one.ask(ping())
  const two = await new Person(juliet).online()
  for (const line of lines) {
    const heard = await two.next(isChat, line)
    assert.equal(heard.getChildText('body'), line)
    assert.equal(heard.getChild('delay', NS.delay)?.attrs.from, domain)
  }
  await two.stop()
  const again = await new Person(juliet).online()
  await again.ask(ping())
  assert.equal(again.count(isChat), 0, 'they came twice')
  await again.stop()
  await one.stop()
})

await check('a message to nobody comes back as an error', async () => {
  const one = await new Person(romeo).online()
  await one.say(chat(`nobody@${domain}`, 'is anyone there?'))
  const error = await one.next((it) => it.is('message') && it.attrs.type === 'error', 'bounce')
  assert.ok(error.getChild('error').getChild('service-unavailable'), String(error))
  await one.stop()
})

console.log('done')
