// XEP-0317: hats in a room, and the commands that make them and put them on.
import assert from 'node:assert/strict'
import {
  carriesOut,
  commandOf,
  commands,
  conditionsOf,
  FORMS,
  offered,
  submission,
  valuesOf,
} from '../../support/command.js'
import { BALL, codes, enters, gather, x } from '../../support/rooms.js'
import { DOMAIN, scene } from '../../support/stage.js'
import type { Actor } from '../../support/actor.js'
import type { Element } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

const node = (name: string) => `urn:xmpp:hats:commands:${name}`
const teacher = { 'hats#title': 'Teacher', 'hats#uri': 'urn:hat:teacher', 'hats#hue': '327.255249' }
const hat = `<hats xmlns='${NS.hats}'><hat title='Teacher' uri='urn:hat:teacher' hue='327.255249'/></hats>`

/** Sends the form at once, as who knows it may (§3.3). */
async function does(actor: Actor, name: string, answers: Record<string, string>): Promise<Element> {
  return commands(actor, BALL, node(name), { payload: submission(answers) })
}

async function done(actor: Actor, name: string, answers: Record<string, string>): Promise<void> {
  assert.equal(commandOf(await does(actor, name, answers)).attrs['status'], 'completed')
}

const changed = `<message type='groupchat' from='${BALL}'>${x(codes(104))}</message>`

/** The rows of a table, each by field. */
function rows(command: Element): Record<string, string | undefined>[] {
  return command
    .child('x', FORMS)!
    .childrenOf('item')
    .map((item) =>
      Object.fromEntries(
        item.childrenOf('field').map((field) => [field.attrs['var'], field.child('value')?.text]),
      ),
    )
}

scene('XEP-0317 §3: a hat is made, worn, changed, taken off and done away with', async (cast) => {
  const { romeo, juliet, nurse } = cast
  await gather([romeo, juliet])
  await carriesOut(romeo, BALL, node('create'), teacher)
  await romeo.receives(changed)
  await juliet.receives(changed)
  const assign = { 'hats#jid': juliet.bare, 'hats#uri': 'urn:hat:teacher' }
  await carriesOut(romeo, BALL, node('assign'), assign)
  const shown = (hats: string, ...numbers: number[]) =>
    `<presence from='${BALL}/juliet'>${hats}${x('<item/>', codes(...numbers))}</presence>`
  await juliet.receives(shown(hat, 110))
  await romeo.receives(shown(hat))
  // Nobody wears what the room has not given.
  juliet.sends(
    `<presence to='${BALL}/juliet'><hats xmlns='${NS.hats}'><hat title='King' uri='urn:king'/></hats></presence>`,
  )
  await romeo.receives(shown(hat))
  const heard = await enters(nurse)
  assert.ok(heard.some((one) => one.attrs['from'] === `${BALL}/juliet` && one.child('hats', NS.hats)))
  await juliet.ignoresSoFar()
  await romeo.ignoresSoFar()
  await done(romeo, 'create', { ...teacher, 'hats#title': 'Head teacher' })
  await romeo.receives(shown(hat.replace('Teacher', 'Head teacher')))
  await romeo.receives(changed)
  await done(romeo, 'unassign', assign)
  await romeo.receives(shown(''))
  await done(romeo, 'assign', assign)
  await romeo.ignoresSoFar()
  await done(romeo, 'destroy', { 'hats#uri': 'urn:hat:teacher' })
  await romeo.receives(shown(''))
  await romeo.receives(changed)
  assert.deepEqual(rows(await carriesOut(romeo, BALL, node('list-assigned'))), [])
})

scene('XEP-0317 §3.2 to §3.7: forms, lists and who may', async ({ romeo, juliet, nurse, tybalt }) => {
  await gather([romeo, juliet, nurse])
  await tybalt.connects()
  await done(romeo, 'create', teacher)
  await done(romeo, 'create', { 'hats#title': 'Pupil', 'hats#uri': 'urn:hat:pupil' })
  await done(romeo, 'assign', { 'hats#jid': juliet.full, 'hats#uri': 'urn:hat:pupil' })
  await romeo.sets(
    `<query xmlns='${NS.mucAdmin}'><item affiliation='admin' jid='${juliet.bare}'/></query>`,
    BALL,
  )
  for (const actor of [romeo, juliet, nurse]) await actor.ignoresSoFar()
  const form = commandOf(await commands(romeo, BALL, node('assign')))
  assert.equal(form.attrs['status'], 'executing')
  assert.deepEqual(valuesOf(form, 'FORM_TYPE'), ['urn:xmpp:hats:commands'])
  const choices = form
    .child('x', FORMS)!
    .childrenOf('field')
    .find(({ attrs }) => attrs['var'] === 'hats#uri')!
  assert.deepEqual(
    choices.childrenOf('option').map((option) => [option.attrs['label'], option.child('value')!.text]),
    [
      ['Teacher', 'urn:hat:teacher'],
      ['Pupil', 'urn:hat:pupil'],
    ],
  )
  const canceled = await commands(romeo, BALL, node('assign'), {
    sessionid: form.attrs['sessionid']!,
    action: 'cancel',
  })
  assert.equal(commandOf(canceled).attrs['status'], 'canceled')
  assert.deepEqual(rows(await carriesOut(nurse, BALL, node('list'))), [
    { 'hats#title': 'Teacher', 'hats#uri': 'urn:hat:teacher', 'hats#hue': '327.255249' },
    { 'hats#title': 'Pupil', 'hats#uri': 'urn:hat:pupil', 'hats#hue': '' },
  ])
  assert.deepEqual(rows(await carriesOut(juliet, BALL, node('list-assigned'))), [
    { 'hats#jid': juliet.bare, 'hats#uri': 'urn:hat:pupil', 'hats#title': 'Pupil', 'hats#hue': '' },
  ])
  // Hats are made by owners, put on by admins, seen by who is in; addresses by who sees them.
  const may: [Actor, readonly string[]][] = [
    [romeo, ['create', 'destroy', 'list', 'assign', 'unassign', 'list-assigned']],
    [juliet, ['list', 'assign', 'unassign', 'list-assigned']],
    [nurse, ['list']],
    [tybalt, []],
  ]
  for (const [actor, names] of may)
    for (const name of may[0]![1]) {
      const reply = await commands(actor, BALL, node(name))
      if (names.includes(name)) commandOf(reply)
      else assert.equal(conditionsOf(reply), 'forbidden', `${actor.name} ${name}`)
    }
  for (const [actor, names] of may) assert.deepEqual(await offered(actor, BALL), names.map(node))
  const info = await romeo.gets(`<query xmlns='${NS.discoInfo}' node='${node('list')}'/>`, BALL)
  assert.equal(info.child('query')?.child('identity')?.attrs['type'], 'command-node')
  const room = await romeo.gets(`<query xmlns='${NS.discoInfo}'/>`, BALL)
  assert.ok(room.toString().includes(`<feature var="${NS.hats}"/>`))
  assert.ok(room.toString().includes('hats#hash'))
  assert.equal(conditionsOf(await commands(romeo, BALL, 'urn:unknown')), 'item-not-found')
  assert.equal(
    conditionsOf(await does(romeo, 'assign', { 'hats#jid': nurse.bare, 'hats#uri': 'urn:hat:none' })),
    'item-not-found',
  )
  for (const wrong of [
    { 'hats#title': 'T', 'hats#uri': 'no uri' },
    { 'hats#title': 'T', 'hats#uri': 'urn:t', 'hats#hue': '400' },
    { 'hats#title': 'T', 'hats#uri': 'urn:t', 'hats#hue': 'blue' },
    { 'hats#uri': 'urn:t' },
  ])
    assert.match(
      conditionsOf(await does(romeo, 'create', wrong as Record<string, string>)),
      /not-acceptable|bad-request bad-payload/,
    )
})

scene(
  'a room has fifty hats, and two hundred who wear one; what is over is refused',
  async ({ romeo, stage }) => {
    await gather([romeo])
    const many = (i: number) => ({ 'hats#title': `Hat ${i}`, 'hats#uri': `urn:hat:${i}` })
    for (let i = 0; i < 50; i++) await done(romeo, 'create', many(i))
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'room_hats'), 0)
    for (let i = 50; i < 55; i++)
      assert.equal(conditionsOf(await does(romeo, 'create', many(i))), 'resource-constraint')
    assert.equal(stage.metrics.valueOf('limit_hits_total', 'room_hats'), 5)
    // One that is there can be changed.
    await done(romeo, 'create', { ...many(7), 'hats#title': 'Another' })
    const wears = (i: number) =>
      does(romeo, 'assign', { 'hats#jid': `guest${i}@${DOMAIN}`, 'hats#uri': 'urn:hat:1' })
    for (let i = 0; i < 200; i++) commandOf(await wears(i))
    assert.equal(conditionsOf(await wears(200)), 'resource-constraint')
    commandOf(await does(romeo, 'assign', { 'hats#jid': `guest7@${DOMAIN}`, 'hats#uri': 'urn:hat:2' }))
  },
)
