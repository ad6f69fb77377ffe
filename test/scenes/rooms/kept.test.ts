// What owners and admins have done outlasts the process: lists with reasons and nicks, hats, registrations.
import assert from 'node:assert/strict'
import { commandOf, commands, submission } from '../../support/command.js'
import { BALL, configures, enters, gather } from '../../support/rooms.js'
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
