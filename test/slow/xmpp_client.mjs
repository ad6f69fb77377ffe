/** @xmpp/client: two people meet, chat, part and read what came meanwhile. NODE_EXTRA_CA_CERTS names the certificate. */
import assert from 'node:assert/strict'
import { check, seconds } from './check.mjs'
import { chat, isChat, NS, Person, ping, xml } from './person.mjs'

const { XMPP_PORT, XMPP_TLS_PORT, XMPP_DOMAIN: domain, XMPP_A, XMPP_B, XMPP_PASSWORD } = process.env
const [romeo, juliet] = [`${XMPP_A}@${domain}`, `${XMPP_B}@${domain}`]
const settings = { service: `xmpp://127.0.0.1:${XMPP_PORT}`, password: XMPP_PASSWORD }

await check('STARTTLS, certificate verified, SCRAM-SHA-1', async () => {
  const person = await new Person(romeo, settings).start()
  assert.ok(person.xmpp.socket.socket.authorized, 'the certificate was not verified')
  await person.stop()
})

await check('direct TLS, certificate verified', async () => {
  // The client verifies the name it connects to: the certificate is one of localhost.
  const person = await new Person(romeo, {
    ...settings,
    service: `xmpps://localhost:${XMPP_TLS_PORT}`,
  }).start()
  await person.stop()
})

await check('SASL2 with Bind 2 in one step, and with a token the second time', async () => {
  const person = new Person(romeo, settings)
  const [said, heard] = [[], []]
  person.xmpp.on('send', (element) => said.push(element))
  person.xmpp.on('element', (element) => heard.push(element))
  for (const mechanism of ['SCRAM-SHA-1', 'HT-SHA-256-NONE']) {
    said.length = heard.length = 0
    await person.start()
    const [authenticate] = said.filter((it) => it.is('authenticate', 'urn:xmpp:sasl:2'))
    assert.equal(authenticate.attrs.mechanism, mechanism)
    const success = heard.find((it) => it.is('success', 'urn:xmpp:sasl:2'))
    assert.ok(
      success.getChild('bound', 'urn:xmpp:bind:0').getChild('metadata', 'urn:xmpp:mam:2'),
      String(success),
    )
    assert.equal(String(person.xmpp.jid), success.getChildText('authorization-identifier'))
    await person.ask(ping(domain))
    await person.stop()
  }
})

await check('a wrong password is refused with not-authorized', async () => {
  const person = new Person(romeo, { ...settings, password: 'wrong' })
  await assert.rejects(seconds(20, person.xmpp.start(), 'a refusal'), { condition: 'not-authorized' })
  await person.xmpp.stop().catch(() => {})
})

await check('roster, subscriptions, presence and chat', async () => {
  const [one, two] = [await new Person(romeo, settings).online(), await new Person(juliet, settings).online()]
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

await check(
  'twenty messages wait in the archive in order: who uses Bind 2 gets them nowhere else',
  async () => {
    const one = await new Person(romeo, settings).online()
    const lines = Array.from({ length: 20 }, (_, number) => `line ${number}`)
    for (const line of lines) await one.say(chat(juliet, line))
    await one.ask(ping(domain))
    for (let time = 0; time < 2; time++) {
      const two = await new Person(juliet, settings).online()
      const kept = (await two.archive()).map((message) => message.getChildText('body'))
      assert.deepEqual(kept.slice(-lines.length), lines)
      await two.ask(ping(domain))
      assert.equal(two.all(isChat).length, 0, 'they came twice')
      await two.stop()
    }
    await one.stop()
  },
)

await check('a message to nobody comes back as an error', async () => {
  const one = await new Person(romeo, settings).online()
  await one.say(chat(`nobody@${domain}`, 'is anyone there?'))
  const error = await one.next((it) => it.is('message') && it.attrs.type === 'error', 'bounce')
  assert.ok(error.getChild('error').getChild('service-unavailable'), String(error))
  await one.stop()
})

console.log('done')
