// What owners and admins have done outlasts the process: lists with reasons and nicks, hats, registrations.
import assert from 'node:assert/strict'
import { commandOf, commands, submission } from '../../support/command.js'
import { BALL, configures, entrance, enters, gather } from '../../support/rooms.js'
import { DOMAIN, scene } from '../../support/stage.js'
import type { Actor } from '../../support/actor.js'
import { NS } from '../../../src/xml/namespaces.js'

/** The items of all lists, as text. */
async function lists(actor: Actor): Promise<string[]> {
  const all: string[] = []
  for (const affiliation of ['owner', 'admin', 'member', 'outcast']) {
    const reply = await actor.gets(
      `<query xmlns='${NS.mucAdmin}'><item affiliation='${affiliation}'/></query>`,
      BALL,
    )
    for (const item of reply.child('query', NS.mucAdmin)!.childrenOf('item')) {
      const { jid, nick = '-' } = item.attrs
      all.push([affiliation, jid, nick, item.child('reason')?.text ?? '-'].join(' '))
    }
  }
  return all
}

async function hat(actor: Actor, command: string, answers: Record<string, string>): Promise<void> {
  const node = `urn:xmpp:hats:commands:${command}`
  commandOf(await commands(actor, BALL, node, { payload: submission(answers) }))
}

scene(
  'XEP-0045 §5.2, XEP-0317: affiliations, reserved nicks and hats are there after a restart',
  async (cast) => {
    const { romeo, juliet, nurse, stage } = cast
    await gather([romeo])
    await configures(romeo, { persistentroom: '1', membersonly: '1', moderatedroom: '1' })
    const items = [
      `<item affiliation='member' jid='${juliet.bare}' nick='Jule'/>`,
      `<item affiliation='admin' jid='${nurse.bare}'><reason>Wise</reason></item>`,
      `<item affiliation='outcast' jid='spam.example'><reason>Spam</reason></item>`,
      `<item affiliation='member' jid='tybalt@${DOMAIN}'/>`,
    ]
    await romeo.sets(`<query xmlns='${NS.mucAdmin}'>${items.join('')}</query>`, BALL)
    await romeo.sets(
      `<query xmlns='${NS.mucAdmin}'><item affiliation='none' jid='tybalt@${DOMAIN}'/></query>`,
      BALL,
    )
    await hat(romeo, 'create', { 'hats#title': 'Bride', 'hats#uri': 'urn:hat:bride' })
    await hat(romeo, 'assign', { 'hats#jid': juliet.bare, 'hats#uri': 'urn:hat:bride' })
    const before = [
      `owner ${romeo.bare} - -`,
      `admin ${nurse.bare} - Wise`,
      `member ${juliet.bare} Jule -`,
      'outcast spam.example - Spam',
    ]
    await romeo.ignoresSoFar()
    assert.deepEqual(await lists(romeo), before)
    await stage.restarts()
    await romeo.isGone()
    romeo.isConnected = false
    await romeo.connects()
    assert.deepEqual(await lists(romeo), before)
    const heard = await enters(juliet, { nick: 'Jule' })
    const own = heard.find(({ attrs }) => attrs['from'] === `${BALL}/Jule`)!
    assert.equal(own.child('hats', NS.hats)?.child('hat')?.attrs['title'], 'Bride')
    assert.equal(own.child('x', NS.mucUser)?.child('item')?.attrs['affiliation'], 'member')
  },
)

scene('XEP-0045 §5.1: who was given voice, or lost it, finds it so after a restart', async (cast) => {
  const { romeo, juliet, nurse, tybalt, stage } = cast
  await gather([romeo])
  await configures(romeo, { persistentroom: '1', moderatedroom: '1' })
  await romeo.sets(
    `<query xmlns='${NS.mucAdmin}'><item affiliation='member' jid='${nurse.bare}'/></query>`,
    BALL,
  )
  await enters(juliet)
  await enters(nurse)
  await enters(tybalt)
  const items = `<item nick='juliet' role='participant'/><item nick='nurse' role='visitor'/><item nick='tybalt' role='moderator'/>`
  await romeo.sets(`<query xmlns='${NS.mucAdmin}'>${items}</query>`, BALL)
  for (const actor of [juliet, nurse, tybalt]) {
    actor.sends(`<presence type='unavailable' to='${BALL}/${actor.local}'/>`)
    await actor.settled()
  }
  await stage.restarts()
  const expected: [Actor, string][] = [
    [juliet, 'participant'],
    [nurse, 'visitor'],
    // Moderators are made for one visit.
    [tybalt, 'visitor'],
  ]
  for (const [actor, role] of expected) {
    await actor.isGone()
    actor.isConnected = false
    await actor.connects()
    actor.sends(entrance(actor))
    for (;;) {
      const item = (await actor.next('its own presence')).child('x', NS.mucUser)?.child('item')
      if (item?.attrs['jid'] !== actor.full) continue
      assert.equal(item.attrs['role'], role, actor.name)
      break
    }
  }
})
