/** kill -9 of the server and of its database: what was answered for is there afterwards, once and in order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client } from './support/client.js'
import { House } from './support/house.js'

const house = new House(['romeo', 'juliet'])
const login = (name: string) => house.login(name)

const message = (number: number) =>
  `<message to='juliet@localhost' type='chat' id='m${number}'><body>number ${number}</body></message>`
const ping = (id: string) => `<iq type='get' to='localhost' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`

/** The numbers of all messages that wait for juliet, as she gets them. */
async function delivered(): Promise<number[]> {
  const juliet = await login('juliet')
  await juliet.appear()
  await juliet.ping()
  const numbers = juliet.waiting
    .filter(({ local }) => local === 'message')
    .map(({ attrs }) => Number(attrs['id']?.slice(1)))
  await juliet.close()
  return numbers
}

/** The numbers of the requests that were answered with a result. */
const answered = (client: Client) =>
  client.waiting
    .filter(({ attrs }) => attrs['type'] === 'result')
    .map(({ attrs }) => Number(attrs['id']?.slice(1)))

const counting = (length: number) => Array.from({ length }, (_, number) => number)

test('kill -9 in the middle of 300 messages: all that was answered for is delivered, once, in order', async () => {
  const romeo = await login('romeo')
  for (let batch = 0; batch < 30; batch++)
    romeo.send(
      counting(10)
        .map((i) => message(batch * 10 + i))
        .join('') + ping(`p${batch}`),
    )
  // Answers come in order: this one says that 100 messages are stored. The others are on their way.
  await romeo.next('iq', ({ attrs }) => attrs['id'] === 'p9')
  await house.server.kill()
  await romeo.ended
  // The rest of what came is answers too, no error for any message.
  assert.deepEqual(new Set(romeo.waiting.map(({ attrs }) => attrs['type'])), new Set(['result']))
  const stored = 10 * (romeo.waiting.length + 1)

  await house.startAgain()
  const numbers = await delivered()
  assert.ok(numbers.length >= stored, `${numbers.length} of ${stored}`)
  assert.deepEqual(numbers, counting(numbers.length))
  assert.deepEqual(await delivered(), [])
})

test('SIGTERM asks clients what they have: that does not come again, and what they do not acknowledge does', async () => {
  const [romeo, juliet] = [await login('romeo'), await login('juliet')]
  juliet.send(`<enable xmlns='urn:xmpp:sm:3'/>`)
  await juliet.next('enabled')
  await juliet.appear() // a roster, and its own presence
  for (const number of counting(10)) romeo.send(message(number))
  await juliet.next('message', ({ attrs }) => attrs['id'] === 'm9')
  const stopped = house.server.stop()
  await juliet.next('r')
  juliet.send(`<a xmlns='urn:xmpp:sm:3' h='${2 + 7}'/>`)
  assert.equal((await stopped).code, 0)
  await house.startAgain()
  assert.deepEqual(await delivered(), [7, 8, 9])
})

test('SIGTERM: a client goes on where it was after the next start, and gets what it had not acknowledged', async () => {
  const sm = `xmlns='urn:xmpp:sm:3'`
  const [romeo, juliet] = [await login('romeo'), await login('juliet')]
  juliet.send(`<enable ${sm} resume='true'/>`)
  const { attrs } = await juliet.next('enabled')
  await juliet.appear() // a roster, and its own presence
  for (const number of counting(3)) romeo.send(message(number))
  await juliet.next('message', (one) => one.attrs['id'] === 'm2')
  juliet.freeze()
  assert.equal((await house.server.stop()).code, 0)
  await house.startAgain()

  const access = {
    port: house.server.port('STARTTLS'),
    trust: house.server.certificate().pem,
    account: 'juliet@localhost',
  }
  const back = await Client.connect(access)
  await back.authenticate(access)
  await back.next('features')
  back.send(`<resume ${sm} previd='${attrs['id']}' h='3'/>`)
  // The request for the roster, and presence.
  assert.equal((await back.next('resumed')).attrs['h'], '2')
  for (const number of [1, 2]) await back.next('message', (one) => one.attrs['id'] === `m${number}`)
  const again = await login('romeo')
  again.send(message(3))
  await back.next('message', (one) => one.attrs['id'] === 'm3')
  assert.deepEqual(
    back.waiting.filter(({ local }) => local === 'message'),
    [],
  )
  back.send(`<a ${sm} h='6'/>`)
  await Promise.all([back.close(), again.close()])
  assert.deepEqual(await delivered(), [])
})

test('kill -9 while rosters are changed: each change that was answered is there', async () => {
  const [romeo, juliet] = [await login('romeo'), await login('juliet')]
  for (const client of [romeo, juliet]) {
    for (const number of counting(200))
      client.send(
        `<iq type='set' id='s${number}'><query xmlns='jabber:iq:roster'><item jid='c${number}@example.org' name='Contact ${number}'/></query></iq>`,
      )
  }
  await romeo.next('iq', ({ attrs }) => attrs['id'] === 's40')
  await house.server.kill()
  await romeo.ended
  await juliet.ended
  const sets = [answered(romeo), answered(juliet)]
  assert.ok(sets[0]!.length >= 40)

  await house.startAgain()
  for (const [i, name] of ['romeo', 'juliet'].entries()) {
    const client = await login(name)
    const roster = new Map((await client.roster()).map(({ attrs }) => [attrs['jid'], attrs['name']]))
    for (const number of sets[i]!) assert.equal(roster.get(`c${number}@example.org`), `Contact ${number}`)
    await client.close()
  }
})

test('kill -9 of the database alone: it comes back by itself, and each message is stored or refused', async () => {
  const romeo = await login('romeo')
  const since = house.server.out.length
  const dead = await house.server.postgres()
  process.kill(dead, 'SIGKILL')
  const back = house.server.logs('database.up', since)
  let isBack = false
  back.then(
    () => (isBack = true),
    () => {},
  )
  let sent = 0
  for (let more = 3; more > 0; more -= isBack ? 1 : 0) {
    romeo.send(message(sent++))
    await romeo.ping()
  }
  await back
  assert.notEqual(await house.server.postgres(), dead)
  const refused = romeo.waiting
    .filter(({ local, attrs }) => local === 'message' && attrs['type'] === 'error')
    .map(({ attrs }) => Number(attrs['id']?.slice(1)))
  // RFC 6120 §8.3.3.6: an error that says "later".
  assert.ok(refused.length > 0)
  const [error] = await romeo.next('message').then((each) => each.childrenOf('error'))
  assert.deepEqual([error?.attrs['type'], error?.childrenOf()[0]?.local], ['wait', 'internal-server-error'])
  const numbers = await delivered()
  assert.deepEqual(
    numbers,
    [...new Set(numbers)].sort((a, b) => a - b),
    'once, in order',
  )
  const lost = counting(sent).filter((number) => !numbers.includes(number) && !refused.includes(number))
  assert.deepEqual(lost, [])
  assert.equal((await house.server.cli(['health'])).code, 0)
  await romeo.close()
})
