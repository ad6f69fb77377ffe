/** @xmpp/client, logging in by SASL2 and Bind 2: tokens instead of passwords, and sessions that outlive their streams. */
import assert from 'node:assert/strict'
import { check } from './check.mjs'
import { chat, isChat, Person, ping } from './person.mjs'

const { XMPP_PORT, XMPP_DOMAIN: domain, XMPP_A, XMPP_B, XMPP_PASSWORD: password } = process.env
const [romeo, juliet] = [`${XMPP_A}@${domain}`, `${XMPP_B}@${domain}`]
const settings = { service: `xmpp://127.0.0.1:${XMPP_PORT}`, password }
const SM = 'urn:xmpp:sm:3'

/** What was said on the wire so far, one element a line. */
function listens({ xmpp }) {
  const lines = []
  xmpp.on('element', (element) => lines.push(`< ${element}`))
  xmpp.on('send', (element) => lines.push(`> ${element}`))
  return lines
}
const said = (lines, pattern) => lines.filter((line) => pattern.test(line))

await check('login by SASL2 and Bind 2 in one exchange, with stream management', async () => {
  const person = new Person(romeo, settings)
  const lines = listens(person)
  await person.online()
  assert.equal(said(lines, /^> <authenticate xmlns="urn:xmpp:sasl:2" mechanism="SCRAM-SHA-1"/).length, 1)
  const [success] = said(lines, /^< <success xmlns="urn:xmpp:sasl:2"/)
  assert.match(success, /<bound xmlns="urn:xmpp:bind:0"/)
  assert.match(success, new RegExp(`<enabled[^>]* xmlns="${SM}"|<enabled xmlns="${SM}"`))
  assert.equal(said(lines, /^> <iq[^>]*><bind /).length, 0)
  assert.ok(person.xmpp.streamManagement.enabled)
  assert.ok(person.xmpp.streamManagement.id)
  await person.stop()
})

await check('FAST: the second login shows a token, and no password is asked for', async () => {
  const tokens = []
  const keeping = (person) => {
    person.xmpp.fast.saveToken = async (token) => tokens.push(token)
    person.xmpp.fast.fetchToken = async () => tokens.at(-1)
    return person
  }
  const userAgent = 'd4565fa7-4d72-4749-b3d3-740edbf87770'
  const first = keeping(new Person(romeo, { ...settings, userAgent }))
  await first.start()
  await first.stop()
  assert.equal(tokens.length, 1)
  assert.ok(new Date(tokens[0].expiry) > new Date(), tokens[0].expiry)
  const second = keeping(new Person(romeo, { ...settings, userAgent, password: 'not asked for' }))
  const lines = listens(second)
  await second.start()
  assert.equal(said(lines, /^> <authenticate[^>]* mechanism="HT-SHA-256-NONE"/).length, 1)
  assert.equal(said(lines, /^> <response/).length, 0)
  await second.ask(ping(domain))
  await second.stop()
})

await check('FAST: a token that is none leads to the password', async () => {
  const person = new Person(romeo, { ...settings, userAgent: 'd4565fa7-4d72-4749-b3d3-740edbf87771' })
  let token = { mechanism: 'HT-SHA-256-NONE', token: 'made-up', expiry: '2100-01-01T00:00:00Z' }
  person.xmpp.fast.fetchToken = async () => token
  person.xmpp.fast.deleteToken = async () => (token = undefined)
  await person.start()
  assert.equal(token, undefined)
  await person.stop()
})

await check('stream management: cut off, it resumes while it logs in, and misses nothing', async () => {
  const [one, two] = [await new Person(romeo, settings).online(), await new Person(juliet, settings).online()]
  await one.say(chat(juliet, 'before'))
  await two.next(isChat, 'before')
  const lines = listens(two)
  await two.cut()
  for (let number = 0; number < 20; number++) await one.say(chat(juliet, `meanwhile ${number}`))
  await one.ask(ping(domain))
  const before = two.jid
  await two.resumes()
  assert.equal(said(lines, new RegExp(`^> <authenticate.*<resume[^>]*"${SM}"`)).length, 1)
  assert.match(said(lines, /^< <success/).join(), new RegExp(`<resumed[^>]*"${SM}"`))
  for (let number = 0; number < 20; number++)
    assert.equal((await two.next(isChat, `meanwhile ${number}`)).getChildText('body'), `meanwhile ${number}`)
  await two.ask(ping(domain))
  assert.deepEqual(two.all(isChat).map(String), [], 'some came twice')
  assert.equal(String(two.xmpp.jid), before)
  await one.stop()
  await two.stop()
})

console.log('done')
