/** kill -9 while people talk in a room: what was acknowledged is in its archive and history, in the order that was heard. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Client } from './support/client.js'
import { House } from './support/house.js'
import type { Element } from '../../src/xml/element.js'

/** As fast as they can. */
const launch = { set: ['modules.rooms.occupant_rate=off', 'modules.rooms.rate=off'] }
const house = new House(['romeo', 'juliet'], launch)
const ROOM = 'ball@conference.localhost'
const MUC = 'http://jabber.org/protocol/muc'
const SM = `xmlns='urn:xmpp:sm:3'`

const isSubject = (stanza: Element) => stanza.child('subject') !== undefined
const numberOf = (message: Element | undefined) => Number(message?.child('body')?.text)
const idOf = (message: Element) => message.child('stanza-id', 'urn:xmpp:sid:0')?.attrs['id']
const counting = (length: number) => Array.from({ length }, (_, number) => number)

/** Enters; what it heard before the subject. */
async function enters(client: Client, nick: string): Promise<readonly Element[]> {
  client.send(`<presence to='${ROOM}/${nick}'><x xmlns='${MUC}'/></presence>`)
  await client.next('message', isSubject)
  return client.waiting
}

async function setsUp(owner: Client): Promise<void> {
  const field = `<field var='muc#roomconfig_persistentroom'><value>1</value></field>`
  const form = `<x xmlns='jabber:x:data' type='submit'>${field}</x>`
  owner.send(`<iq type='set' id='set' to='${ROOM}'><query xmlns='${MUC}#owner'>${form}</query></iq>`)
  const { attrs } = await owner.next('iq', (iq) => iq.attrs['id'] === 'set')
  assert.equal(attrs['type'], 'result')
}

/** All of the archive, by pages: numbers by id. */
async function archiveOf(client: Client): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  for (let after = ''; ;) {
    const set = `<set xmlns='http://jabber.org/protocol/rsm'><max>100</max>${after}</set>`
    const reply = await client.set(`<query xmlns='urn:xmpp:mam:2'>${set}</query>`, ROOM)
    const messages = client.waiting.filter(({ local }) => local === 'message').length
    for (let left = messages; left > 0; left--) {
      const result = (await client.next('message')).child('result', 'urn:xmpp:mam:2')!
      const message = result.child('forwarded', 'urn:xmpp:forward:0')?.child('message')
      if (message?.child('body')) found.set(result.attrs['id']!, numberOf(message))
    }
    const fin = reply.child('fin', 'urn:xmpp:mam:2')!
    if (fin.attrs['complete'] === 'true') return found
    after = `<after>${fin.child('set', 'http://jabber.org/protocol/rsm')!.child('last')!.text}</after>`
  }
}

test('kill -9 in the middle of a talk: what was acknowledged is there, in the order that was heard', async () => {
  const [romeo, juliet] = [await house.login('romeo'), await house.login('juliet')]
  await enters(romeo, 'romeo')
  await setsUp(romeo)
  await enters(juliet, 'juliet')
  romeo.send(`<enable ${SM}/>`)
  await romeo.next('enabled')
  const said = (i: number) => `<message id='m${i}' type='groupchat' to='${ROOM}'><body>${i}</body></message>`
  for (let batch = 0; batch < 30; batch++)
    romeo.send(
      `${counting(10)
        .map((i) => said(batch * 10 + i))
        .join('')}<r ${SM}/>`,
    )
  // A hundred of them are kept; the others are on their way.
  await romeo.next('a', ({ attrs }) => Number(attrs['h']) >= 100)
  await house.server.kill()
  await romeo.ended
  await juliet.ended
  const acknowledged = romeo.waiting
    .filter(({ local }) => local === 'a')
    .map(({ attrs }) => Number(attrs['h']))
  const heard = juliet.waiting.filter((stanza) => stanza.local === 'message' && stanza.child('body'))
  assert.deepEqual(heard.map(numberOf), counting(heard.length))

  await house.startAgain(launch)
  const back = await house.login('juliet')
  const archive = await archiveOf(back)
  assert.ok(archive.size >= Math.max(100, ...acknowledged), `${archive.size} of ${acknowledged.at(-1)}`)
  assert.deepEqual([...archive.values()], counting(archive.size))
  // What she heard before it was kept is not there; all else has the id that she heard.
  for (const message of heard.slice(0, archive.size))
    assert.equal(archive.get(idOf(message)!), numberOf(message))
  const history = (await enters(back, 'juliet')).filter((stanza) => stanza.child('body'))
  assert.deepEqual(history.map(numberOf), [...archive.values()].slice(-20))
  assert.deepEqual(history.map(idOf), [...archive.keys()].slice(-20))
  await back.close()
})
