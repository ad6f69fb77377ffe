/** @xmpp/component: an external component that is let in, asked, and talked to. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { check, seconds } from './check.mjs'
import { chat, isChat, Person, xml } from './person.mjs'

const { component } = createRequire(join(process.env.CLIENTS_DIR, 'package.json'))('@xmpp/component')
const { XMPP_PORT, XMPP_DOMAIN, XMPP_A, XMPP_PASSWORD } = process.env
const { XMPP_COMPONENT: domain, XMPP_COMPONENT_SECRET: secret, XMPP_COMPONENT_PORT: port } = process.env
const romeo = `${XMPP_A}@${XMPP_DOMAIN}`

function connection(password) {
  const xmpp = component({ service: `xmpp://127.0.0.1:${port}`, domain, password })
  xmpp.reconnect.stop()
  xmpp.on('error', () => {})
  return xmpp
}

await check('a wrong secret is refused with not-authorized', async () => {
  const xmpp = connection('a guess')
  await assert.rejects(seconds(20, xmpp.start(), 'a refusal'), { condition: 'not-authorized' })
  await xmpp.stop().catch(() => {})
})

await check('it is talked to, answers requests, and asks', async () => {
  const xmpp = connection(secret)
  xmpp.iqCallee.get('urn:example:scene', 'query', () => xml('query', 'urn:example:scene', 'a balcony'))
  const heard = new Promise((resolve) => {
    xmpp.on('stanza', (stanza) => stanza.is('message') && resolve(stanza))
  })
  await seconds(20, xmpp.start(), 'a start')
  const person = await new Person(romeo, {
    service: `xmpp://127.0.0.1:${XMPP_PORT}`,
    password: XMPP_PASSWORD,
  }).online()
  const answer = await person.ask(xml('iq', { type: 'get', to: domain }, xml('query', 'urn:example:scene')))
  assert.equal(answer.getChildText('query'), 'a balcony')
  await person.say(chat(`juliet@${domain}`, 'Wherefore art thou <Rómeo>?'))
  const stanza = await seconds(20, heard, 'a message')
  assert.deepEqual(
    [stanza.getChildText('body'), stanza.attrs.from],
    ['Wherefore art thou <Rómeo>?', person.jid],
  )
  await xmpp.send(
    xml('message', { to: person.jid, from: `juliet@${domain}`, type: 'chat' }, xml('body', {}, 'Ay me!')),
  )
  const back = await person.next(isChat, 'a chat')
  assert.deepEqual([back.getChildText('body'), back.attrs.from], ['Ay me!', `juliet@${domain}`])
  const pong = await xmpp.iqCaller.request(
    xml('iq', { type: 'get', to: XMPP_DOMAIN, from: domain }, xml('ping', 'urn:xmpp:ping')),
  )
  assert.equal(pong.attrs.type, 'result')
  await person.stop()
  await xmpp.stop()
})

console.log('done')
