// XEP-0045 §7.10, §7.12, §9.9: registering with a room, and nicknames of one's own.
import assert from 'node:assert/strict'
import { BALL, codes, configures, entrance, enters, gather, x } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'
import type { Actor } from '../../support/actor.js'
import type { Element } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

const REGISTER = 'http://jabber.org/protocol/muc#register'

const form = (fields: Record<string, string>) =>
  `<x xmlns='${NS.dataForms}' type='submit'>${Object.entries({ FORM_TYPE: REGISTER, ...fields })
    .map(([name, value]) => `<field var='${name}'><value>${value}</value></field>`)
    .join('')}</x>`

const query = (payload = '') => `<query xmlns='${NS.registration}'>${payload}</query>`

const nicked = (nick: string, more: Record<string, string> = {}) =>
  query(form({ 'muc#register_roomnick': nick, ...more }))

async function registers(actor: Actor, nick: string): Promise<void> {
  const reply = await actor.sets(nicked(nick), BALL)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
}

/** What the room says of the own nick (§7.12). */
async function ownNick(actor: Actor): Promise<string | undefined> {
  const reply = await actor.gets(`<query xmlns='${NS.discoInfo}' node='x-roomuser-item'/>`, BALL)
  const found = reply.child('query', NS.discoInfo)!
  assert.equal(found.attrs['node'], 'x-roomuser-item')
  return found.child('identity')?.attrs['name']
}

async function members(actor: Actor): Promise<Element[]> {
  const reply = await actor.gets(`<query xmlns='${NS.mucAdmin}'><item affiliation='member'/></query>`, BALL)
  return reply.child('query')!.childrenOf('item')
}

scene('XEP-0045 §7.10, §7.12: who registers is a member with a nickname of its own', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet])
  await configures(romeo, { registration: 'everybody' })
  await juliet.ignoresSoFar()
  const asked = await juliet.gets(query(), BALL)
  const names = asked
    .child('query')!
    .child('x', NS.dataForms)!
    .childrenOf('field')
    .map(({ attrs }) => attrs['var'])
  assert.deepEqual(names, [
    'FORM_TYPE',
    'muc#register_roomnick',
    'muc#register_first',
    'muc#register_last',
    'muc#register_url',
    'muc#register_email',
    'muc#register_faqentry',
  ])
  assert.equal(await ownNick(juliet), undefined)
  await registers(juliet, '  Lady  Juliet ')
  await juliet.receives(
    `<presence from='${BALL}/juliet'>${x(`<item affiliation='member' role='participant'/>`, codes(110))}</presence>`,
  )
  assert.equal(await ownNick(juliet), 'Lady Juliet')
  const again = await juliet.gets(query(), BALL)
  assert.equal(again.child('query')!.childrenOf()[0]!.local, 'registered')
  assert.equal(again.child('query')!.child('username')!.text, 'Lady Juliet')
  await romeo.ignoresSoFar()
  assert.deepEqual(
    (await members(romeo)).map(({ attrs }) => [attrs['jid'], attrs['nick']]),
    [[juliet.bare, 'Lady Juliet']],
  )
  await nurse.connects()
  await nurse.isRefused('conflict', 'set', nicked('LADY JULIET'), BALL)
  await nurse.isRefused('conflict', 'set', nicked('romeo'), BALL)
  await nurse.isRefused('bad-request', 'set', query(), BALL)
  await nurse.isRefused('bad-request', 'set', query(form({})), BALL)
  await nurse.isRefused('bad-request', 'set', nicked('n', { 'muc#register_url': 'x'.repeat(501) }), BALL)
  nurse.sends(entrance(nurse, { nick: 'lady juliet' }))
  await nurse.receives(
    `<presence type='error' from='${BALL}/lady juliet'><error type='cancel'><conflict xmlns='${NS.stanzaErrors}'/><text xmlns='${NS.stanzaErrors}'>{any}</text></error></presence>`,
  )
  // §7.12: also under another nickname.
  await juliet.ignoresSoFar()
  // XEP-0077 §3.2
  assert.equal((await juliet.sets(query('<remove/>'), BALL)).attrs['type'], 'result')
  await juliet.receives(
    `<presence from='${BALL}/juliet'>${x(`<item affiliation='none'/>`, codes(110))}</presence>`,
  )
  assert.equal(await ownNick(juliet), undefined)
  await enters(nurse, { nick: 'Lady Juliet' })
  await juliet.ignoresSoFar()
  await juliet.isRefused('registration-required', 'set', query('<remove/>'), BALL)
  await romeo.ignoresSoFar()
  await romeo.isRefused('not-allowed', 'set', query('<remove/>'), BALL)
})

scene('XEP-0045 §7.10: where nobody may register, and who is banned', async ({ romeo, juliet }) => {
  await gather([romeo])
  await configures(romeo, { registration: 'nobody' })
  await juliet.connects()
  await juliet.isRefused('not-allowed', 'get', query(), BALL)
  await juliet.isRefused('not-allowed', 'set', nicked('juliet'), BALL)
  await configures(romeo, { registration: 'everybody' })
  await romeo.sets(
    `<query xmlns='${NS.mucAdmin}'><item affiliation='outcast' jid='${juliet.bare}'/></query>`,
    BALL,
  )
  await juliet.isRefused('not-allowed', 'get', query(), BALL)
  await juliet.isRefused('not-allowed', 'set', nicked('juliet'), BALL)
  await juliet.isRefused('item-not-found', 'get', query(), BALL.replace('ball', 'nowhere'))
})

scene(
  'XEP-0045 §9.9: a registration that an admin approves, in the room or not',
  async (cast) => {
    const { romeo, juliet, nurse, stage } = cast
    await gather([romeo])
    await romeo.ignoresSoFar()
    await romeo.sets(
      `<query xmlns='${NS.mucAdmin}'><item affiliation='admin' jid='${nurse.bare}'/></query>`,
      BALL,
    )
    await romeo.ignoresSoFar()
    await nurse.online()
    await romeo.online()
    await juliet.online()
    for (const actor of [romeo, juliet, nurse]) await actor.ignoresSoFar()
    const asked = {
      'muc#register_roomnick': 'Jule',
      'muc#register_first': 'Juliet',
      'muc#register_faqentry': 'One\nTwo',
    }
    const reply = await juliet.sets(query(form(asked)), BALL)
    assert.equal(reply.attrs['type'], 'result', reply.toString())
    const forms = []
    for (const actor of [romeo, nurse]) {
      const message = await actor.next('the form')
      assert.equal(message.attrs['from'], BALL)
      const fields = message.child('x', NS.dataForms)!.childrenOf('field')
      forms.push(
        Object.fromEntries(
          fields.map((one) => [
            one.attrs['var'],
            one
              .childrenOf('value')
              .map(({ text }) => text)
              .join('\n'),
          ]),
        ),
      )
    }
    assert.deepEqual(forms[0], {
      FORM_TYPE: REGISTER,
      'muc#jid': juliet.bare,
      ...asked,
      'muc#register_last': '',
      'muc#register_url': '',
      'muc#register_email': '',
      'muc#register_allow': '0',
    })
    assert.deepEqual(await members(romeo), [])
    // Not twice in ten minutes.
    await juliet.isRefused('policy-violation', 'set', nicked('Jule'), BALL)
    stage.clock.advance(10 * 60_000)
    const yes = form({ ...forms[1]!, 'muc#register_allow': '1' } as Record<string, string>)
    juliet.sends(`<message id='yes' to='${BALL}'>${yes}</message>`)
    await juliet.receives(
      `<message type='error' id='yes' from='${BALL}'><error type='auth'><forbidden xmlns='${NS.stanzaErrors}'/></error></message>`,
    )
    romeo.sends(
      `<message to='${BALL}'>${form({ ...forms[0]!, 'muc#register_allow': '0' } as Record<string, string>)}</message>`,
    )
    await romeo.settled()
    assert.deepEqual(await members(romeo), [])
    nurse.sends(`<message to='${BALL}'>${yes}</message>`)
    await nurse.settled()
    await romeo.ignoresSoFar()
    assert.deepEqual(
      (await members(romeo)).map(({ attrs }) => [attrs['jid'], attrs['nick']]),
      [[juliet.bare, 'Jule']],
    )
    assert.equal(await ownNick(juliet), 'Jule')
  },
  { set: ['limits.idle_ping=off'] },
)

scene('XEP-0045 §7.10: a room that holds people to the nicknames they have registered', async (cast) => {
  const { romeo, juliet } = cast
  await gather([romeo, juliet])
  await configures(romeo, { registration: 'everybody', nicklock: '1' })
  await juliet.ignoresSoFar()
  await registers(juliet, 'Jule')
  await juliet.receives(
    `<presence from='${BALL}/juliet'>${x(`<item affiliation='member'/>`, codes(110))}</presence>`,
  )
  await juliet.receives(
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item nick='Jule'/>`, codes(303, 110))}</presence>`,
  )
  await juliet.receives(`<presence from='${BALL}/Jule'>${x(`<item/>`, codes(110, 210))}</presence>`)
  juliet.sends(`<presence to='${BALL}/Giulietta'/>`)
  await juliet.receives(`<presence from='${BALL}/Jule'>${x(`<item/>`, codes(110, 210))}</presence>`)
  juliet.sends(`<presence type='unavailable' to='${BALL}/Jule'/>`)
  await juliet.settled()
  await juliet.ignoresSoFar()
  const heard = await enters(juliet, { nick: 'Giulietta' })
  const mine = heard.find((one) => one.attrs['from'] === `${BALL}/Jule`)!
  assert.ok(
    mine
      .child('x', NS.mucUser)!
      .childrenOf('status')
      .some(({ attrs }) => attrs['code'] === '210'),
  )
})
