/** XEP-0398, XEP-0153, XEP-0292: clients of two ages see the same face and the same card. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { Actor } from '../support/actor.js'
import { Dice } from '../support/dice.js'
import { featuresOf, friends, subscribed } from '../support/friends.js'
import { Program } from '../support/programs.js'
import { scene, type Stage } from '../support/stage.js'
import type { Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'

/** A PNG of 3 by 2 pixels, as far as anybody looks. */
const face = picture('')
const otherFace = picture('other')

function picture(more: string): { bytes: Buffer; base64: string; id: string } {
  const head = Buffer.from('89504e470d0a1a0a0000000d4948445200000003000000020806000000', 'hex')
  const bytes = Buffer.concat([head, Buffer.from(more)])
  return { bytes, base64: bytes.toString('base64'), id: createHash('sha1').update(bytes).digest('hex') }
}

const data = `<data xmlns='${NS.avatarData}'>{data}</data>`
const access = (model: string) =>
  `<publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>${NS.pubsub}#publish-options</value></field><field var='pubsub#access_model'><value>${model}</value></field></x></publish-options>`

const publishing = (node: string, id: string | undefined, payload: string, model?: string) =>
  `<pubsub xmlns='${NS.pubsub}'><publish node='${node}'><item${id === undefined ? '' : ` id='${id}'`}>${payload}</item></publish>${model === undefined ? '' : access(model)}</pubsub>`

const metadata = ({ id, bytes }: typeof face) =>
  `<metadata xmlns='${NS.avatarMetadata}'><info bytes='${bytes.length}' id='${id}' type='image/png'/></metadata>`

async function showsFace(actor: Actor, shown: typeof face, model?: string): Promise<void> {
  await done(actor, publishing(NS.avatarData, shown.id, data.replace('{data}', shown.base64), model))
  await done(actor, publishing(NS.avatarMetadata, shown.id, metadata(shown), model))
}

async function done(actor: Actor, payload: string): Promise<void> {
  const reply = await actor.sets(payload)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
}

async function cardOf(owner: Actor, reader: Actor): Promise<Element | undefined> {
  const reply = await reader.gets(`<vCard xmlns='vcard-temp'/>`, owner.bare)
  return reply.attrs['type'] === 'result' ? reply.child('vCard', NS.vcard) : undefined
}

const photoIn = (card: Element | undefined) => card?.child('PHOTO')?.child('BINVAL')?.text

async function items(owner: Actor, reader: Actor, node: string): Promise<readonly Element[]> {
  const reply = await reader.gets(`<pubsub xmlns='${NS.pubsub}'><items node='${node}'/></pubsub>`, owner.bare)
  return reply.child('pubsub', NS.pubsub)?.child('items')?.childrenOf('item') ?? []
}

const x = (photo: string) => `<x xmlns='vcard-temp:x:update'>${photo}</x>`
const marked = (hash: string) => x(`<photo>${hash}</photo>`)

const avatars = new Program(NS.discoInfo, `${NS.avatarMetadata}+notify`)

scene('XEP-0398 §2, XEP-0292 §7: the account says what is converted', async ({ juliet }) => {
  await juliet.connects()
  const features = await featuresOf(juliet.bare, juliet)
  for (const feature of ['urn:xmpp:pep-vcard-conversion:0', NS.vcard4]) assert.ok(features.includes(feature))
})

scene('XEP-0398 §3.1: what is published as an avatar is the photo of the card', async ({ juliet, romeo }) => {
  await juliet.online()
  await romeo.online()
  await done(juliet, `<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>`)
  await showsFace(juliet, face, 'open')
  const card = await cardOf(juliet, romeo)
  assert.equal(photoIn(card), face.base64)
  assert.equal(card?.child('PHOTO')?.child('TYPE')?.text, 'image/png')
  assert.equal(card?.child('FN')?.text, 'Juliet')
  await done(juliet, publishing(NS.avatarMetadata, undefined, `<metadata xmlns='${NS.avatarMetadata}'/>`))
  assert.equal(photoIn(await cardOf(juliet, romeo)), undefined)
})

scene(
  'XEP-0398 §7: who may not see the avatar does not see it in the card',
  async ({ juliet, romeo, nurse }) => {
    await juliet.online()
    await romeo.online()
    await nurse.online()
    await subscribed(romeo, juliet)
    await showsFace(juliet, face)
    assert.equal(photoIn(await cardOf(juliet, romeo)), face.base64)
    assert.equal(photoIn(await cardOf(juliet, juliet)), face.base64)
    assert.equal(await cardOf(juliet, nurse), undefined)
  },
)

scene(
  'XEP-0398 §3.1: a picture at a URL, or one that its name does not fit, is left out',
  async ({ juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    const info = (id: string, more = '') => `<info bytes='1' id='${id}' type='image/png'${more}/>`
    await done(juliet, publishing(NS.avatarData, face.id, data.replace('{data}', otherFace.base64), 'open'))
    for (const infos of [info(face.id), info(face.id, ` url='https://capulet.example/face'`)]) {
      const payload = `<metadata xmlns='${NS.avatarMetadata}'>${infos}</metadata>`
      await done(juliet, publishing(NS.avatarMetadata, face.id, payload, 'open'))
      assert.equal(await cardOf(juliet, romeo), undefined)
    }
  },
)

scene('XEP-0398 §3.2: the photo of a card is published as an avatar', async ({ juliet, romeo }) => {
  await juliet.online()
  await avatars.starts(romeo)
  await subscribed(romeo, juliet)
  await juliet.ignoresSoFar()
  const card = `<vCard xmlns='vcard-temp'><FN>Juliet</FN><PHOTO><TYPE>image/gif</TYPE><BINVAL>\n${face.base64}\n</BINVAL></PHOTO></vCard>`
  await done(juliet, card)
  const told = (info: string) =>
    `<message type='headline' from='${juliet.bare}' to='${romeo.full}'><event xmlns='${NS.pubsubEvent}'><items node='${NS.avatarMetadata}'><item><metadata xmlns='${NS.avatarMetadata}'>${info}</metadata></item></items></event></message>`
  const present = `<presence from='${juliet.full}'>${marked(face.id)}</presence>`
  await romeo.receivesInAnyOrder(
    told(`<info id='${face.id}' bytes='29' type='image/png' width='3' height='2'/>`),
    present,
  )
  const [item] = await items(juliet, romeo, NS.avatarData)
  assert.deepEqual([item?.attrs['id'], item?.child('data')?.text], [face.id, face.base64])
  // What the old client wrote is what it reads, once.
  const read = await cardOf(juliet, juliet)
  assert.equal(read?.child('FN')?.text, 'Juliet')
  assert.equal(read?.childrenOf('PHOTO').length, 1)
  assert.equal(photoIn(read), face.base64)
  // The same card again is no news; one without a photo takes the avatar away (XEP-0153 §4.4).
  await done(juliet, card)
  await romeo.hearsNothingMore()
  await done(juliet, `<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>`)
  await romeo.receivesInAnyOrder(told(''), `<presence from='${juliet.full}'>${x('<photo/>')}</presence>`)
  assert.equal(photoIn(await cardOf(juliet, romeo)), undefined)
})

scene('XEP-0153 §4.5: what is no picture stays in the card, and is no avatar', async ({ juliet, romeo }) => {
  await juliet.online()
  await romeo.online()
  const photo = `<PHOTO><EXTVAL>https://capulet.example/juliet.png</EXTVAL></PHOTO>`
  await done(juliet, `<vCard xmlns='vcard-temp'>${photo}</vCard>`)
  assert.equal(
    (await cardOf(juliet, romeo))?.child('PHOTO')?.child('EXTVAL')?.text,
    'https://capulet.example/juliet.png',
  )
  assert.deepEqual(await items(juliet, juliet, NS.avatarMetadata), [])
})

scene(
  'modules.profiles.photo_size: a larger photo is refused, and not shown',
  async ({ stage, juliet }) => {
    const hits = () => stage.metrics.valueOf('limit_hits_total', 'photo_size')
    await juliet.online()
    const card = (size: number) =>
      `<vCard xmlns='vcard-temp'><PHOTO><BINVAL>${picture('x'.repeat(size - 29)).base64}</BINVAL></PHOTO></vCard>`
    await done(juliet, card(1_024))
    assert.equal(hits(), 0)
    await juliet.isRefused('not-acceptable', 'set', card(1_025))
    await juliet.isRefused('not-acceptable', 'set', card(102_400))
    assert.equal(hits(), 2)
    assert.equal(Buffer.from(photoIn(await cardOf(juliet, juliet))!, 'base64').length, 1_024)
    await showsFace(juliet, picture('x'.repeat(2_000)))
    assert.equal(await cardOf(juliet, juliet).then(photoIn), undefined)
  },
  { set: ['modules.profiles.photo_size=1KiB'] },
)

scene(
  'XEP-0398 §4: the hash is in every available presence, and the echo shows it',
  async ({ juliet, romeo, nurse }) => {
    await juliet.online()
    await romeo.online()
    await friends(juliet, romeo)
    await showsFace(juliet, face, 'open')
    await juliet.receives(`<presence from='${juliet.full}'>${marked(face.id)}</presence>`)
    await romeo.receives(`<presence from='${juliet.full}'>${marked(face.id)}</presence>`)

    for (const said of ['', x(''), marked('0'.repeat(40)), marked(face.id.toUpperCase())]) {
      juliet.sends(`<presence><show>away</show>${said}</presence>`)
      const heard = await romeo.next()
      assert.equal(
        heard.child('x', NS.vcardUpdate)?.child('photo')?.text.toLowerCase(),
        face.id,
        heard.toString(),
      )
      assert.equal(heard.childrenOf('x').length, 1)
    }
    // To somebody who has no subscription, such as a room.
    await nurse.online()
    juliet.sends(`<presence to='${nurse.full}'/>`)
    await nurse.receives(`<presence from='${juliet.full}'>${marked(face.id)}</presence>`)
    // A client may show nothing.
    juliet.sends(`<presence to='${nurse.full}'>${x('<photo/>')}</presence>`)
    await nurse.receives(`<presence from='${juliet.full}'>${x('<photo/>')}</presence>`)
    juliet.sends(`<presence to='${nurse.full}' type='unavailable'/>`)
    await nurse.receives(`<presence from='${juliet.full}' type='unavailable'/>`)
    await romeo.hearsNothingMore()
  },
)

scene(
  'XEP-0398 §4: probes are answered with it, and the next session has it from the first presence',
  async ({ juliet, juliet$phone, romeo }) => {
    await juliet.online()
    await romeo.online()
    await friends(juliet, romeo)
    await showsFace(juliet, face, 'open')
    await romeo.ignoresSoFar()
    await romeo.leaves()
    await romeo.online()
    await romeo.receives(`<presence from='${juliet.full}'>${marked(face.id)}</presence>`)
    await juliet.leaves()
    await romeo.receives(`<presence from='${juliet.full}' type='unavailable'/>`)
    await juliet$phone.online()
    await romeo.receives(`<presence from='${juliet$phone.full}'>${marked(face.id)}</presence>`)
  },
)

scene(
  'XEP-0398 §4, §5.1: a new avatar is told to contacts, for clients that show theirs',
  async ({ juliet, juliet$phone, romeo, nurse }) => {
    await juliet.online()
    await juliet$phone.online(`<presence>${x('<photo/>')}</presence>`)
    await romeo.online()
    await nurse.online()
    await friends(juliet, romeo)
    juliet.sends(`<presence to='${nurse.full}'/>`)
    for (const actor of [juliet, juliet$phone, romeo, nurse]) await actor.ignoresSoFar()
    await showsFace(juliet, face, 'open')
    const news = `<presence from='${juliet.full}'>${marked(face.id)}</presence>`
    for (const actor of [juliet, juliet$phone]) {
      await actor.receives(news)
      await actor.hearsNothingMore()
    }
    await romeo.receivesInAnyOrder(news, `<presence from='${juliet$phone.full}'>${x('<photo/>')}</presence>`)
    await nurse.hearsNothingMore()
    // The same once more, or a change of the data alone, is none.
    await showsFace(juliet, face, 'open')
    await romeo.hearsNothingMore()
    await showsFace(juliet, otherFace, 'open')
    await juliet$phone.receives(`<presence from='${juliet.full}'>${marked(otherFace.id)}</presence>`)
  },
)

/** What an account has kept since before there was personal eventing. */
const keptCard = (stage: Stage, text: string) =>
  stage.stores.map<string>(stage.domain, 'vcard').set('juliet', text)

scene(
  'XEP-0398 §3.2: the photo of a card from before becomes an avatar at the first presence',
  async ({ stage, juliet, romeo }) => {
    await romeo.online()
    await stage.account('juliet', stage.domain, 'wherefore')
    await keptCard(
      stage,
      `<vCard xmlns='vcard-temp'><FN>Juliet</FN><PHOTO><BINVAL>${face.base64}</BINVAL></PHOTO></vCard>`,
    )
    assert.equal(photoIn(await cardOf(juliet, romeo)), face.base64)
    await juliet.connects()
    juliet.sends('<presence/>')
    await juliet.receives(`<presence from='${juliet.full}'>${marked(face.id)}</presence>`)
    assert.equal((await items(juliet, romeo, NS.avatarMetadata))[0]?.attrs['id'], face.id)
    assert.equal(photoIn(await cardOf(juliet, romeo)), face.base64)
  },
)

const newCard = (name: string) => `<vcard xmlns='${NS.vcard4}'><fn><text>${name}</text></fn></vcard>`

scene(
  'XEP-0292 §4.1, §11: a vCard4 is shown to old clients, as far as they may see it',
  async ({ juliet, romeo, nurse }) => {
    await juliet.online()
    await romeo.online()
    await nurse.online()
    await subscribed(romeo, juliet)
    await done(juliet, `<vCard xmlns='vcard-temp'><FN>Old Juliet</FN><NICKNAME>Jule</NICKNAME></vCard>`)
    await done(juliet, publishing(NS.vcard4Node, undefined, newCard('Juliet')))
    assert.equal((await cardOf(juliet, romeo))?.child('FN')?.text, 'Juliet')
    assert.equal((await cardOf(juliet, romeo))?.child('NICKNAME'), undefined)
    // The node was made by the old client, for everybody.
    assert.equal((await cardOf(juliet, nurse))?.child('FN')?.text, 'Juliet')
    await done(juliet, `<pubsub xmlns='${NS.pubsubOwner}'><delete node='${NS.vcard4Node}'/></pubsub>`)
    assert.equal(await cardOf(juliet, romeo), undefined)
    await done(juliet, publishing(NS.vcard4Node, undefined, newCard('Juliet'), 'presence'))
    assert.equal((await cardOf(juliet, romeo))?.child('FN')?.text, 'Juliet')
    assert.equal(await cardOf(juliet, nurse), undefined)
  },
)

scene(
  'XEP-0292 §11: what an old client writes is published as a vCard4, when it changes',
  async ({ juliet, romeo }) => {
    const cards = new Program(NS.discoInfo, `${NS.vcard4Node}+notify`)
    await juliet.online()
    await cards.starts(romeo)
    await subscribed(romeo, juliet)
    const writes = (fields: string) => done(juliet, `<vCard xmlns='vcard-temp'>${fields}</vCard>`)
    await writes('<FN>Juliet</FN><MAILER>parchment</MAILER>')
    await romeo.receives(
      `<message type='headline' from='${juliet.bare}'><event xmlns='${NS.pubsubEvent}'><items node='${NS.vcard4Node}'><item id='{any}'>${newCard('Juliet')}</item></items></event></message>`,
    )
    await writes('<FN>Juliet</FN><MAILER>quill</MAILER>')
    await romeo.hearsNothingMore()
    assert.equal((await cardOf(juliet, romeo))?.child('MAILER')?.text, 'quill')
    await writes('')
    assert.deepEqual(await items(juliet, romeo, NS.vcard4Node), [])
  },
)

scene(
  'XEP-0398: guests have neither',
  async ({ stage }) => {
    const guest = stage.actor('guest')
    await guest.opens()
    guest.raw(`<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='ANONYMOUS'>=</auth>`)
    await guest.receives(`<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>`)
    guest.startsStream()
    await guest.next('features')
    await guest.asks(`<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>`)
    guest.sends('<presence/>')
    const echo = await guest.next()
    assert.equal(echo.child('x', NS.vcardUpdate), undefined)
  },
  { set: ['auth.anonymous=true'] },
)

scene(
  'whatever clients of both ages do one after the other, they see one face',
  async ({ stage, juliet, romeo }) => {
    await juliet.online()
    await romeo.online()
    await friends(juliet, romeo)
    const dice = new Dice(stage.seed)
    const faces = [face, otherFace, picture('third')]
    let shown: typeof face | undefined
    let wasShown = false
    for (let step = 0; step < 40; step++) {
      const next = dice.below(3) === 0 ? undefined : dice.of(faces)
      const photo = next ? `<PHOTO><BINVAL>${next.base64}</BINVAL></PHOTO>` : dice.of(['', '<PHOTO/>'])
      if (dice.below(2)) await done(juliet, `<vCard xmlns='vcard-temp'><FN>${step}</FN>${photo}</vCard>`)
      else if (next) await showsFace(juliet, next)
      else
        await done(
          juliet,
          publishing(NS.avatarMetadata, undefined, `<metadata xmlns='${NS.avatarMetadata}'/>`),
        )
      shown = next
      wasShown ||= next !== undefined
      await romeo.ignoresSoFar()
      assert.equal(photoIn(await cardOf(juliet, romeo)), shown?.base64)
      const [current] = await items(juliet, romeo, NS.avatarMetadata)
      assert.equal(current?.child('metadata')?.child('info')?.attrs['id'], shown?.id)
      juliet.sends('<presence/>')
      const presence = await romeo.next()
      const hash = presence.child('x', NS.vcardUpdate)?.child('photo')?.text
      // One that never had a face says nothing of it; one that has it no more says so, unless it was gone before.
      assert.ok(shown ? hash === shown.id : (hash ?? '') === '', stage.transcript())
      if (!wasShown) assert.ok(hash === undefined || hash === '')
    }
  },
)
