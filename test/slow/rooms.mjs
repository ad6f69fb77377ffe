/**
 * Three people in one room with three clients: juliet with slixmpp, romeo with @xmpp/client, and their nurse with profanity. They
 * make it, invite, moderate, lose their network, return, and see the same. NODE_EXTRA_CA_CERTS names the certificate.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Cable } from './cable.mjs'
import { check, seconds } from './check.mjs'
import { NS, Person, xml } from './person.mjs'
import { Terminal } from './terminal.mjs'

const {
  CLIENTS_DIR,
  XMPP_PORT,
  XMPP_DOMAIN: domain,
  XMPP_CA,
  XMPP_A,
  XMPP_B,
  XMPP_C,
  XMPP_PASSWORD: password,
} = process.env
const MUC = 'http://jabber.org/protocol/muc'
const room = `${XMPP_A}-ball@conference.${domain}`
const [romeoJid, julietJid, nurseJid] = [XMPP_A, XMPP_B, XMPP_C].map((name) => `${name}@${domain}`)
/** One pixel. */
const picture =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=='

const cable = await Cable.lay(Number(XMPP_PORT))
const nurse = new Terminal(process.cwd())
const juliet = startSlixmpp()
const romeo = new Person(romeoJid, { service: `xmpp://127.0.0.1:${cable.port}`, password })
const isFrom = (nick) => (it) => it.attrs.from === `${room}/${nick}`
const isSaid = (body) => (it) =>
  it.is('message') && it.attrs.type === 'groupchat' && it.getChildText('body') === body
/** The ids that the room gave to what was said. */
const ids = {}

await check('everybody is online', async () => {
  await juliet('online', julietJid, password, cable.port)
  await romeo.online()
  await nurse.open(XMPP_CA)
  nurseLogsIn()
  await nurse.sees('logged in successfully')
})

await check('juliet makes a persistent room and is its owner', async () => {
  const { codes, nicks } = await juliet('join', room, 'juliet')
  assert.ok(codes.includes(110) && codes.includes(201), String(codes))
  assert.deepEqual(nicks, [])
  await juliet('configure', {
    'muc#roomconfig_roomname': 'The ball',
    'muc#roomconfig_persistentroom': true,
    'muc#roomconfig_membersonly': true,
    'muc#roomconfig_moderatedroom': true,
  })
  await juliet('subject', 'Masks are worn')
  await juliet('sees_subject', 'Masks are worn')
})

await check('nobody comes in who is not invited', async () => {
  await romeo.say(entrance('romeo'))
  const refused = await romeo.next((it) => it.is('presence') && it.attrs.type === 'error', 'refusal')
  assert.ok(refused.getChild('error').getChild('registration-required'), String(refused))
})

await check('she invites: the server passes it on, or she asks directly', async () => {
  await juliet('invite', romeoJid, 'Come, gentle night')
  const isInvitation = (it) => it.is('message') && it.getChild('x', `${MUC}#user`)?.getChild('invite')
  const invitation = await romeo.next(isInvitation, 'invitation')
  assert.equal(invitation.attrs.from, room)
  assert.equal(invitation.getChild('x').getChild('invite').getChildText('reason'), 'Come, gentle night')
  // In a room for members who invites directly makes a member, too (XEP-0249 §2).
  await juliet('affiliation', nurseJid, 'member')
  await juliet('invite_directly', nurseJid, 'Peter, my fan')
  await nurse.sees(room)
})

await check('the invited come in and see who is there, and what it is about', async () => {
  await romeo.say(entrance('romeo'))
  const own = await romeo.next((it) => it.is('presence') && isFrom('romeo')(it), 'own presence')
  assert.ok(codesOf(own).includes('110'), String(own))
  assert.ok(romeo.take((it) => it.is('presence') && isFrom('juliet')(it)).length === 1)
  const subject = await romeo.next((it) => it.is('message') && it.getChild('subject'), 'subject')
  assert.equal(subject.getChildText('subject'), 'Masks are worn')
  nurse.types(`/join ${room} nick nurse`)
  await nurse.sees('Masks are worn')
  await juliet('sees', 'nurse', 'available', 'participant')
})

await check('all hear what each of them says, and under one id', async () => {
  await juliet('say', 'My ears have not yet drunk a hundred words')
  await heard('juliet', 'My ears have not yet drunk a hundred words')
  await romeo.say(speech('With love’s light wings did I o’erperch these walls'))
  await heard('romeo', 'With love’s light wings did I o’erperch these walls')
  nurse.types('Madam! Young lady!')
  await heard('nurse', 'Madam! Young lady!')
})

await check('the room has a picture', async () => {
  await juliet('give_avatar', picture)
  const card = await romeo.ask(xml('iq', { type: 'get', to: room }, xml('vCard', 'vcard-temp')))
  const photo = card.getChild('vCard', 'vcard-temp').getChild('PHOTO')
  assert.equal(photo.getChildText('BINVAL').replace(/\s/g, ''), picture)
  assert.equal(await juliet('avatar', room), picture)
})

await check('who has no voice is not heard, and who is given it is', async () => {
  await juliet('role', 'romeo', 'visitor')
  const silenced = (it) => it.is('presence') && isFrom('romeo')(it) && roleOf(it) === 'visitor'
  await romeo.next(silenced, 'loss of voice')
  await romeo.say(speech('What shall I swear by?'))
  const refused = await romeo.next((it) => it.is('message') && it.attrs.type === 'error', 'refusal')
  assert.ok(refused.getChild('error').getChild('forbidden'), String(refused))
  await juliet('role', 'romeo', 'participant')
  await romeo.next((it) => it.is('presence') && isFrom('romeo')(it) && roleOf(it) === 'participant', 'voice')
  await romeo.say(speech('Lady, by yonder blessed moon I vow'))
  await heard('romeo', 'Lady, by yonder blessed moon I vow')
})

await check('what should not have been said is taken back for all', async () => {
  await juliet('moderate', ids['Lady, by yonder blessed moon I vow'], 'The inconstant moon')
  const isModerated = (it) => it.is('message') && it.getChild('retract')?.getChild('moderated')
  const moderated = await romeo.next(isModerated, 'retraction')
  assert.equal(moderated.attrs.from, room)
  assert.equal(moderated.getChild('retract').attrs.id, ids['Lady, by yonder blessed moon I vow'])
  assert.deepEqual(await juliet('sees_moderated'), [
    ids['Lady, by yonder blessed moon I vow'],
    'The inconstant moon',
  ])
})

await check('romeo is put out, and comes back', async () => {
  await juliet('role', 'romeo', 'none')
  const isOut = (it) => it.is('presence') && it.attrs.type === 'unavailable' && isFrom('romeo')(it)
  const out = await romeo.next(isOut, 'exit')
  assert.ok(codesOf(out).includes('307') && codesOf(out).includes('110'), String(out))
  await nurse.sees('kicked')
  await returns('romeo')
})

await check('juliet and the nurse go on while romeo is away without a word', async () => {
  await romeo.cut()
  await juliet('say', 'Parting is such sweet sorrow')
  await juliet('hear', 'Parting is such sweet sorrow')
  await nurse.sees('Parting is such sweet sorrow')
})

await check('the network fails for all of them', async () => {
  cable.pull()
  await juliet('gone')
  await nurse.sees('ost connection')
})

await check('they return one by one, and are all in', async () => {
  cable.plug()
  await romeo.xmpp.stop().catch(() => {})
  await romeo.online()
  await returns('romeo')
  await juliet('online', julietJid, password, cable.port)
  const { codes, history } = await juliet('join', room, 'juliet')
  assert.ok(codes.includes(110) && !codes.includes(201), String(codes))
  assert.ok(history.includes('Parting is such sweet sorrow'), String(history))
  assert.ok(!history.includes('Lady, by yonder blessed moon I vow'), 'it was taken back')
  nurse.types('/win 1')
  nurseLogsIn()
  await nurse.sees('Connection re-established')
  nurse.types(`/join ${room} nick nurse`)
  await nurse.sees('Parting is such sweet sorrow')
  await juliet('sees', 'nurse', 'available', 'participant')
  await romeo.say(speech('A thousand times good night'))
  await heard('romeo', 'A thousand times good night')
})

await check('they know by a ping that they are in (XEP-0410)', async () => {
  assert.equal(await juliet('is_in'), 'JOINED')
  await romeo.ask(xml('iq', { type: 'get', to: `${room}/romeo` }, xml('ping', NS.ping)))
})

await check('all see the same history', async () => {
  const mine = await archive(romeo)
  assert.deepEqual(await juliet('archive'), mine)
  assert.deepEqual(
    mine.map(([, nick, body]) => [nick, body]),
    [
      ['juliet', 'My ears have not yet drunk a hundred words'],
      ['romeo', 'With love’s light wings did I o’erperch these walls'],
      ['nurse', 'Madam! Young lady!'],
      ['romeo', null],
      ['juliet', 'Parting is such sweet sorrow'],
      ['romeo', 'A thousand times good night'],
    ],
  )
  for (const [id, , body] of mine)
    if (ids[body]) assert.equal(id, ids[body], 'under the id that it was heard with')
})

await juliet('stop').catch(() => {})
await romeo.stop().catch(() => {})
nurse.close()
await cable.remove()
console.log('done')
process.exit(0)

function nurseLogsIn() {
  nurse.types(`/connect ${nurseJid} server 127.0.0.1 port ${cable.port} tls force`)
  nurse.types(password)
}

function entrance(nick) {
  return xml('presence', { to: `${room}/${nick}` }, xml('x', MUC))
}

function speech(body) {
  return xml('message', { to: room, type: 'groupchat', id: `s${Math.random()}` }, xml('body', {}, body))
}

async function returns(nick) {
  await romeo.say(entrance(nick))
  const isBack = (it) =>
    it.is('presence') && !it.attrs.type && isFrom(nick)(it) && codesOf(it).includes('110')
  await romeo.next(isBack, 'own presence')
}

function codesOf(presence) {
  return (presence.getChild('x', `${MUC}#user`)?.getChildren('status') ?? []).map((it) => it.attrs.code)
}

function roleOf(presence) {
  return presence.getChild('x', `${MUC}#user`)?.getChild('item')?.attrs.role
}

/** Everybody has heard it from that nick, with the same ids of the room and of the occupant (XEP-0359, XEP-0421). */
async function heard(nick, body) {
  const message = await romeo.next(isSaid(body), `'${body}'`)
  const id = message.getChildren('stanza-id').find((it) => it.attrs.by === room)?.attrs.id
  const occupant = message.getChild('occupant-id', 'urn:xmpp:occupant-id:0')?.attrs.id
  assert.ok(id && occupant, String(message))
  assert.equal(message.attrs.from, `${room}/${nick}`)
  assert.deepEqual(await juliet('hear', body), [nick, id, occupant])
  await nurse.sees(body)
  ids[body] = id
}

/** As `archive` of slixmpp_room.py gives it. */
async function archive(person) {
  const found = []
  for (let last, complete = false; !complete;) {
    const queryid = `q${found.length}`
    const pages = xml('set', NS.pages, xml('max', {}, '4'), last && xml('after', {}, last))
    const answer = await person.ask(
      xml('iq', { type: 'set', to: room }, xml('query', { xmlns: NS.archive, queryid }, pages)),
    )
    const fin = answer.getChild('fin', NS.archive)
    complete = fin.attrs.complete === 'true'
    last = fin.getChild('set', NS.pages)?.getChildText('last')
    for (const { attrs, children } of person
      .take((it) => it.getChild('result', NS.archive)?.attrs.queryid === queryid)
      .map((it) => it.getChild('result', NS.archive))) {
      const message = children.find((it) => it.is?.('forwarded')).getChild('message')
      const [nick, body] = [message.attrs.from.split('/')[1], message.getChildText('body')]
      if (body || message.getChild('retracted')) found.push([attrs.id, nick, body || null])
    }
  }
  return found
}

/** A function that has slixmpp_room.py do one thing after the other. */
function startSlixmpp() {
  const python = join(CLIENTS_DIR, 'venv/bin/python')
  const child = spawn(python, [join(import.meta.dirname, 'slixmpp_room.py')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const answers = createInterface(child.stdout)[Symbol.asyncIterator]()
  let last = Promise.resolve()
  return (...request) => {
    const answer = last.then(async () => {
      child.stdin.write(`${JSON.stringify(request)}\n`)
      const { value: line, done } = await seconds(45, answers.next(), `answer to ${request[0]}`)
      if (done) throw new Error('slixmpp has ended')
      const { value, error } = JSON.parse(line)
      if (error !== undefined) throw new Error(`slixmpp, ${request[0]}: ${error}`)
      return value
    })
    last = answer.catch(() => {})
    return answer
  }
}
