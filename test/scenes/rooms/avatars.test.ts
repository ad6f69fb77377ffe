/** XEP-0486: the picture of a room. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Actor } from '../../support/actor.js'
import { BALL, enters, gather } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'

const VCARD = 'vcard-temp'
const MUC_USER = 'http://jabber.org/protocol/muc#user'
const info = `<query xmlns='http://jabber.org/protocol/disco#info'/>`
const picture = (bytes: Buffer, type = 'image/png') =>
  `<PHOTO><TYPE>${type}</TYPE><BINVAL>${bytes.toString('base64')}</BINVAL></PHOTO>`
const card = (content = '') => `<vCard xmlns='${VCARD}'>${content}</vCard>`
const png = Buffer.from('89504e470d0a1a0a0000000d494844520000000300000002080600000000', 'hex')
const svg = Buffer.from(`<svg xmlns='http://www.w3.org/2000/svg'/>`)
const hashOf = (bytes: Buffer) => createHash('sha1').update(bytes).digest('hex')

/** What disco#info says: the hashes, and whether it has cards. */
async function discovered(actor: Actor, to = BALL) {
  const query = (await actor.gets(info, to)).child('query')!
  const field = query
    .childrenOf('x', 'jabber:x:data')
    .flatMap((x) => x.childrenOf('field'))
    .find(({ attrs }) => attrs['var'] === 'muc#roominfo_avatarhash')
  const features = query.childrenOf('feature').map(({ attrs }) => attrs['var'])
  return { hashes: field?.childrenOf('value').map(({ text }) => text), cards: features.includes(VCARD) }
}

const changed = `<message type='groupchat' from='${BALL}'><x xmlns='${MUC_USER}'><status code='104'/></x></message>`
const shown = (hash: string) =>
  `<presence from='${BALL}'><x xmlns='vcard-temp:x:update'><photo>${hash}</photo></x></presence>`

scene('§3.1, §3.2, §3.4: owners set it, and everybody gets it', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet])
  await nurse.online()
  assert.deepEqual(await discovered(nurse), { hashes: undefined, cards: true })
  assert.equal((await discovered(nurse, BALL.split('@')[1])).cards, true)
  await nurse.isRefused('item-not-found', 'get', card(), BALL)
  const both = card(picture(svg, 'image/svg+xml') + picture(png) + '<FN>The ball</FN>')
  assert.equal((await romeo.sets(both, BALL)).attrs['type'], 'result')
  for (const actor of [romeo, juliet]) {
    await actor.receives(shown(hashOf(svg)))
    await actor.receives(changed)
  }
  // §5.1
  assert.deepEqual(await discovered(nurse), { hashes: [hashOf(svg), hashOf(png)], cards: true })
  const got = (await nurse.gets(card(), BALL)).child('vCard')
  assert.deepEqual(
    got?.childrenOf().map(({ local }) => local),
    ['PHOTO', 'PHOTO', 'FN'],
  )
  await nurse.hearsNothingMore()
})

scene('§5.2: who enters sees it, after itself and before history', async ({ romeo, juliet }) => {
  await gather([romeo])
  await romeo.sets(card(picture(png)), BALL)
  const heard = await enters(juliet)
  const kinds = heard.map((one) => `${one.local} ${one.attrs['from']}`)
  assert.deepEqual(kinds, [
    `presence ${BALL}/romeo`,
    `presence ${BALL}/juliet`,
    `presence ${BALL}`,
    `message ${BALL}`,
  ])
})

scene('§3.2: an empty card takes it away, one without a picture has none', async ({ romeo }) => {
  await gather([romeo])
  await romeo.sets(card('<FN>The ball</FN>'), BALL)
  await romeo.receives(changed)
  for (const empty of [
    card(),
    card('<FN>The ball</FN>'),
    card('<PHOTO/>'),
    card(`<PHOTO><BINVAL/></PHOTO>`),
  ]) {
    await romeo.sets(card(picture(png)), BALL)
    await romeo.sets(empty, BALL)
    await romeo.receives(shown(hashOf(png)))
    await romeo.receives(changed)
    await romeo.receives(shown(''))
    await romeo.receives(changed)
    assert.equal((await discovered(romeo)).hashes, undefined)
  }
  await romeo.sets(card(), BALL)
  await romeo.isRefused('item-not-found', 'get', card(), BALL)
})

scene('§6: nobody else sets it, and nothing else is a picture', async ({ romeo, juliet, nurse }) => {
  await gather([romeo, juliet])
  await romeo.sets(
    `<query xmlns='http://jabber.org/protocol/muc#admin'><item jid='${juliet.bare}' affiliation='admin'/></query>`,
    BALL,
  )
  await nurse.online()
  for (const actor of [juliet, nurse]) await actor.isRefused('forbidden', 'set', card(picture(png)), BALL)
  for (const photo of [
    picture(Buffer.from('x'), 'text/html'),
    `<PHOTO><TYPE>image/png</TYPE><BINVAL>*</BINVAL></PHOTO>`,
    `<PHOTO><EXTVAL>https://example.com/x.png</EXTVAL></PHOTO>`,
    picture(png).repeat(5),
  ])
    await romeo.isRefused('not-acceptable', 'set', card(photo), BALL)
  assert.equal((await discovered(nurse)).hashes, undefined)
})

scene(
  'a card is as large as its bound, and no larger',
  async ({ romeo, stage }) => {
    await gather([romeo])
    const large = 256 * 1024
    const around = card('<NOTE></NOTE>').length
    const note = (length: number) => card(`<NOTE>${'x'.repeat(length - around)}</NOTE>`)
    assert.equal((await romeo.sets(note(large), BALL)).attrs['type'], 'result')
    await romeo.isRefused('not-acceptable', 'set', note(large + 1), BALL)
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'room_card'), 1)
  },
  { set: ['limits.c2s_stanza_size=1MiB', 'limits.c2s_rate=off'] },
)
