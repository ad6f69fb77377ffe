// XEP-0045 §7.4: what is said in a room has one order, the same for all who are in and for the archive.
import assert from 'node:assert/strict'
import { BALL, enters, says } from '../../support/rooms.js'
import { scene } from '../../support/stage.js'
import type { Actor } from '../../support/actor.js'
import type { Element } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

/** More than are told in one go. */
const people = 104
const talkers = 8
const lines = 10
const unlimited = ['occupant_rate', 'rate'].map((rate) => `modules.rooms.${rate}=off`)

scene(
  'one order for everybody and the archive, whoever talks at the same time',
  async ({ stage }) => {
    const actors = Array.from({ length: people }, (_, i) => stage.actor(`guest${i}`))
    // The last ones come in while all others talk.
    const late = actors.splice(-4)
    for (const actor of [...actors, ...late]) await actor.connects()
    for (const actor of actors) await enters(actor)
    for (const actor of actors) await actor.ignoresSoFar()
    const entries: Promise<Element[]>[] = []
    for (let line = 0; line < lines; line++) {
      for (const [who, actor] of actors.slice(0, talkers).entries()) {
        says(actor, `${who} ${line}`, { id: `said ${line}` })
        // Others say nothing, but are seen.
        actors
          .at(-1 - who)!
          .sends(`<presence to='${BALL}/guest${actors.length - 1 - who}'><show>away</show></presence>`)
      }
      const comer = late[entries.length]
      if (comer && line % 2 === 1) entries.push(enters(comer))
      await new Promise((resolve) => setImmediate(resolve))
    }
    const heardBefore = await Promise.all(entries)
    await stage.settled()

    const all = await said(actors[0]!)
    assert.equal(all.length, talkers * lines)
    for (const actor of actors.slice(1)) assert.deepEqual(await said(actor), all, actor.name)
    for (let who = 0; who < talkers; who++)
      assert.deepEqual(
        all.filter(([, body]) => body!.startsWith(`${who} `)).map(([, body]) => body),
        Array.from({ length: lines }, (_, line) => `${who} ${line}`),
      )
    assert.deepEqual(await archived(actors[0]!), all)
    assert.equal(heardBefore.length, late.length)
    for (const [at, actor] of late.entries()) {
      // History, then what was said from then on: nothing twice, nothing left out.
      const heard = [...linesOf(heardBefore[at]!), ...(await said(actor))]
      assert.ok(heard.length > 0)
      assert.deepEqual(heard, all.slice(-heard.length), actor.name)
    }
  },
  { set: unlimited },
)

/** Ids and bodies of what waits to be read. */
async function said(actor: Actor): Promise<(readonly [string, string])[]> {
  const heard: Element[] = []
  while (actor.waiting > 0) heard.push(await actor.next())
  return linesOf(heard)
}

function linesOf(heard: readonly Element[]): (readonly [string, string])[] {
  return heard.flatMap((stanza) => {
    const body = stanza.child('body', 'jabber:client')
    const id = stanza.child('stanza-id', NS.stanzaIds)?.attrs['id']
    return stanza.local === 'message' && body && id !== undefined ? [[id, body.text] as const] : []
  })
}

async function archived(actor: Actor): Promise<(readonly [string, string])[]> {
  await actor.sets(`<query xmlns='${NS.archive}'/>`, BALL)
  const found: (readonly [string, string])[] = []
  while (actor.waiting > 0) {
    const result = (await actor.next()).child('result', NS.archive)
    const body = result
      ?.child('forwarded', NS.forward)
      ?.child('message', 'jabber:client')
      ?.child('body', 'jabber:client')
    if (body) found.push([result!.attrs['id']!, body.text])
  }
  return found
}
