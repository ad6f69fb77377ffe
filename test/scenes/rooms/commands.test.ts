// What admins do with rooms: the commands of the one table, here as XEP-0050 carries them out.
import assert from 'node:assert/strict'
import type { Actor } from '../../support/actor.js'
import { archiveOf } from '../../support/archive.js'
import {
  carriesOut,
  commandOf,
  commands,
  conditionsOf,
  notesOf,
  offered,
  submission,
  type Answers,
} from '../../support/command.js'
import { BALL, codes, enters, gather, says, SERVICE, x } from '../../support/rooms.js'
import { DOMAIN, OTHER_DOMAIN, scene, type Stage } from '../../support/stage.js'
import type { Element } from '../../../src/xml/element.js'

const node = (command: string) => `urn:x-parley:command:${command.replaceAll(' ', '-')}`
const runs = (who: Actor, command: string, answers: Answers) =>
  carriesOut(who, DOMAIN, node(command), answers)

async function governed(stage: Stage, who: Actor): Promise<void> {
  await stage.appoint(who, 'admin')
  await who.connects()
}

const cells = (of: Element) =>
  of.childrenOf('field').map((field) =>
    field
      .childrenOf('value')
      .map(({ text }) => text)
      .join('|'),
  )

/** The rows of a result, each with its cells in order. */
function rows(command: Element): string[][] {
  const form = command.child('x', 'jabber:x:data')
  if (!form) return []
  const items = form.childrenOf('item')
  if (items.length > 0) return items.map(cells)
  return form
    .childrenOf('field')
    .map((field) => [String(field.attrs['var']), field.child('value')?.text ?? ''])
}

/** How the form of a command is refused. */
async function refusal(who: Actor, command: string, answers: Answers): Promise<string> {
  const sessionid = commandOf(await commands(who, DOMAIN, node(command))).attrs['sessionid'] as string
  const reply = await commands(who, DOMAIN, node(command), { sessionid, payload: submission(answers) })
  return reply.attrs['type'] === 'error' ? conditionsOf(reply) : notesOf(commandOf(reply)).join()
}

scene('room create, list, show: a room for somebody who will own it', async ({ stage, nurse, romeo }) => {
  await governed(stage, nurse)
  const made = await runs(nurse, 'room create', {
    room: 'ball',
    owner: romeo.bare,
    name: 'The ball',
    public: '1',
  })
  assert.deepEqual(notesOf(made), [`info: ${BALL} is there now, and ${romeo.bare} owns it.`])
  assert.match(await refusal(nurse, 'room create', { room: 'ball', owner: romeo.bare }), /conflict/)
  assert.deepEqual(rows(await runs(nurse, 'room list', {})), [
    [BALL, '0', 'public, lasting', new Date(stage.clock.now()).toISOString().slice(0, 10), 'The ball'],
  ])
  await enters(romeo)
  const figures = [['rooms', 'used'], ['rooms', 'idle'], ['room_occupants']] as const
  assert.deepEqual(
    figures.map(([name, ...labels]) => stage.metrics.valueOf(name, ...labels)),
    [1, 0, 1],
  )
  const shown = Object.fromEntries(rows(await runs(nurse, 'room show', { room: BALL }))) as Record<
    string,
    string
  >
  assert.equal(shown['name'], 'The ball')
  assert.equal(shown['owners'], romeo.bare)
  assert.equal(shown['people'], '1')
  assert.match(shown['kind']!, /persistent, public/)
  assert.deepEqual(rows(await runs(nurse, 'room list', { words: 'tomb' })), [])
  assert.match(await refusal(nurse, 'room show', { room: 'tomb' }), /item-not-found/)
  assert.match(await refusal(nurse, 'room show', { room: `ball@${OTHER_DOMAIN}` }), /item-not-found/)
  assert.equal((await runs(nurse, 'room show', { room: BALL })).attrs['status'], 'completed')
  // The second domain has rooms of its own.
  await runs(nurse, 'room create', { room: `ball@conference.${OTHER_DOMAIN}`, owner: romeo.bare })
  assert.deepEqual(
    rows(await runs(nurse, 'room list', { domain: OTHER_DOMAIN })).map(([room]) => room),
    [`ball@conference.${OTHER_DOMAIN}`],
  )
})

scene('room config: as its owner sets it up, and told as then', async ({ stage, nurse, romeo }) => {
  await governed(stage, nurse)
  await gather([romeo])
  const all = rows(await runs(nurse, 'room config', { room: 'ball' }))
  assert.ok(all.some(([setting, value]) => setting === 'moderatedroom' && value === 'no'))
  assert.deepEqual(
    rows(await runs(nurse, 'room config', { room: 'ball', field: 'moderatedroom', value: 'yes' })).map(
      ([setting, value]) => [setting, value],
    ),
    [['moderatedroom', 'yes']],
  )
  await romeo.receives(`<message type='groupchat' from='${BALL}'>${x(codes(104))}</message>`)
  assert.match(await refusal(nurse, 'room config', { room: 'ball', field: 'colour' }), /item-not-found/)
  assert.match(
    await refusal(nurse, 'room config', { room: 'ball', field: 'moderatedroom', value: 'perhaps' }),
    /bad-request/,
  )
  // A password is not for everybody's eyes.
  await runs(nurse, 'room config', { room: 'ball', field: 'roomsecret', value: 'cauldronburn' })
  const [[, secret] = []] = rows(await runs(nurse, 'room config', { room: 'ball', field: 'roomsecret' }))
  assert.equal(secret, '(secret)')
  assert.doesNotMatch(stage.logged.join('\n'), /cauldronburn/)
})

scene('room affiliation: who is banned by an admin is out', async ({ stage, nurse, romeo, juliet }) => {
  await governed(stage, nurse)
  await gather([romeo, juliet])
  const banned = { room: 'ball', jid: juliet.bare, affiliation: 'outcast', reason: 'spam' }
  assert.deepEqual(
    rows(await runs(nurse, 'room affiliation', banned)).map((row) => row.join(' ').trim()),
    [`outcast ${juliet.bare}  spam`],
  )
  await juliet.receives(
    `<presence type='unavailable' from='${BALL}/juliet'>${x(`<item affiliation='outcast' role='none'><reason>spam</reason></item>`, codes(301, 110))}</presence>`,
  )
  assert.deepEqual(
    rows(await runs(nurse, 'room affiliation', { room: 'ball' })).map(([what, who]) => [what, who]),
    [
      ['owner', romeo.bare],
      ['outcast', juliet.bare],
    ],
  )
  // A room has an owner, whoever asks.
  assert.match(await refusal(nurse, 'room affiliation', { ...banned, jid: romeo.bare }), /conflict/)
})

scene('room destroy: everybody is told, and where it goes on', async ({ stage, nurse, romeo }) => {
  await governed(stage, nurse)
  await gather([romeo])
  const sure = await carriesOut(
    nurse,
    DOMAIN,
    node('room destroy'),
    { room: 'ball', reason: 'Dawn', venue: `tomb@${SERVICE}` },
    {},
  )
  assert.deepEqual(notesOf(sure), [`info: ${BALL} is no more. Told: 1.`])
  await romeo.receives(
    `<presence type='unavailable' from='${BALL}/romeo'>${x(`<item affiliation='none' role='none'/>`, `<destroy jid='tomb@${SERVICE}'><reason>Dawn</reason></destroy>`, codes(110))}</presence>`,
  )
  assert.equal(await stage.stores.rooms.load(SERVICE, 'ball'), undefined)
})

scene('room purge: what was said is gone, from the history too', async ({ stage, nurse, romeo, juliet }) => {
  await governed(stage, nurse)
  await gather([romeo])
  says(romeo, 'a')
  await romeo.ignoresSoFar()
  stage.clock.advance(1000)
  const between = new Date(stage.clock.now()).toISOString()
  says(romeo, 'b')
  await romeo.ignoresSoFar()
  const purges = async (answers: Answers) =>
    notesOf(await carriesOut(nurse, DOMAIN, node('room purge'), { room: 'ball', ...answers }, {}))
  const heard = async () => {
    const bodies = (await enters(juliet)).flatMap((stanza) => stanza.child('body')?.text ?? [])
    juliet.sends(`<presence type='unavailable' to='${BALL}/juliet'/>`)
    await juliet.ignoresSoFar()
    return [bodies.join(' '), (await archiveOf(juliet, { to: BALL })).bodies.join(' ')]
  }
  assert.deepEqual(await heard(), ['a b', 'a b'])
  assert.deepEqual(await purges({ before: between }), [`info: Removed 1 message of ${BALL}.`])
  assert.deepEqual(await heard(), ['b', 'b'])
  assert.deepEqual(await purges({}), [`info: Removed 1 message of ${BALL}.`])
  assert.deepEqual(await heard(), ['', ''])
})

scene(
  'Who looks after another domain has no business with rooms here; who sees only changes nothing',
  async ({ stage, nurse, romeo, other }) => {
    await stage.appoint(other.tybalt, 'domain-admin')
    await stage.appoint(nurse, 'operator')
    await nurse.connects()
    await gather([romeo])
    const nodes = await offered(nurse, DOMAIN)
    assert.deepEqual(nodes.filter((one) => one.includes(':room-')).sort(), [
      node('room list'),
      node('room show'),
    ])
    await other.tybalt.connects()
    const own = commandOf(await commands(other.tybalt, OTHER_DOMAIN, node('room show')))
    const reply = await commands(other.tybalt, OTHER_DOMAIN, node('room show'), {
      sessionid: own.attrs['sessionid'] as string,
      payload: submission({ room: BALL }),
    })
    assert.match(reply.toString(), /item-not-found|no rooms at/)
  },
)

scene(
  'operator: an account that is removed leaves the lists of its rooms; what it owned alone is told',
  async ({ stage, nurse, romeo, juliet }) => {
    await governed(stage, nurse)
    const tomb = `tomb@${SERVICE}`
    await gather([romeo, juliet])
    await gather([juliet], tomb)
    await runs(nurse, 'room affiliation', { room: 'ball', jid: juliet.bare, affiliation: 'member' })
    await runs(nurse, 'room config', { room: 'tomb', field: 'persistentroom', value: 'yes' })
    await runs(nurse, 'room create', { room: 'hall', owner: romeo.bare })
    await runs(nurse, 'room affiliation', { room: 'hall', jid: juliet.bare, affiliation: 'outcast' })
    await romeo.ignoresSoFar()
    const host = stage.server.hosts.get(DOMAIN)!
    await host.removeAccount((await stage.stores.accounts.get(DOMAIN, 'juliet'))!)
    // That she is no member any more is said before or after that she has left, by presence or by message.
    for (let left = false; !left;) {
      const { local, attrs } = await romeo.next('that juliet leaves')
      left = local === 'presence' && attrs['from'] === `${BALL}/juliet` && attrs['type'] === 'unavailable'
    }
    await stage.settled()
    const standings = await stage.stores.rooms.standings(juliet.bare)
    // Who was banned is: an account is soon made.
    assert.deepEqual(
      standings.map(({ local, affiliation }) => `${local} ${affiliation}`),
      ['hall outcast'],
    )
    assert.match(stage.logged.join('\n'), /rooms.ownerless.*tomb@/)
    // Its admins find another owner.
    await runs(nurse, 'room affiliation', { room: 'tomb', jid: romeo.bare, affiliation: 'owner' })
    assert.deepEqual(
      (await stage.stores.rooms.standings(romeo.bare)).map(({ local }) => local),
      ['ball', 'hall', 'tomb'],
    )
  },
)
