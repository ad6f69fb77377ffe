/** XEP-0198 §5 with clients: a session outlives its stream, and nothing of it is lost or doubled. */
import assert from 'node:assert/strict'
import type { Actor } from '../support/actor.js'
import { scene, type Stage } from '../support/stage.js'

const SM = 'urn:xmpp:sm:3'
const chat = (to: string, id: string) =>
  `<message to='${to}' type='chat' id='${id}'><body>${id}</body></message>`
const parked = (stage: Stage) => stage.metrics.valueOf('sessions_parked')

/** Lets its session outlive its stream; gives what names it. */
async function manages(actor: Actor, attributes = ''): Promise<string> {
  actor.raw(`<enable xmlns='${SM}' resume='true'${attributes}/>`)
  const enabled = await actor.receives(`<enabled xmlns='${SM}' resume='true'/>`)
  return enabled.attrs['id'] as string
}
/** Comes back on a new stream; gives what the server has handled. */
async function resumes(actor: Actor, id: string, h = actor.handled): Promise<number> {
  await actor.authenticates()
  actor.raw(`<resume xmlns='${SM}' previd='${id}' h='${h}'/>`)
  const resumed = await actor.receives(`<resumed xmlns='${SM}' previd='${id}'/>`)
  actor.isConnected = true
  return Number(resumed.attrs['h'])
}
/** Messages as they come, by id; requests between them are passed over. */
async function messages(actor: Actor, count: number): Promise<string[]> {
  const ids: string[] = []
  while (ids.length < count) {
    const element = await actor.next(`${count - ids.length} more messages`)
    if (element.local === 'message') ids.push(element.attrs['id']!)
    else assert.equal(element.ns, SM)
  }
  return ids
}
const ids = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, i) => `m${first + i}`)

scene(
  'XEP-0198 §5: resumed comes first, then what was not acknowledged in order, then what came meanwhile',
  async ({ romeo, juliet, stage }) => {
    await romeo.online()
    await juliet.online()
    const id = await manages(juliet)
    for (let i = 1; i <= 10; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    assert.deepEqual(await messages(juliet, 10), ids(1, 10))
    await juliet.vanishes()
    await stage.becomes(() => parked(stage), 1)
    for (let i = 11; i <= 20; i++) romeo.sends(chat(juliet.bare, `m${i}`))
    await romeo.settled()
    await resumes(juliet, id, 4)
    assert.deepEqual(await messages(juliet, 16), ids(5, 20))
    romeo.sends(chat(juliet.bare, 'm21'))
    assert.deepEqual(await messages(juliet, 1), ['m21'])
    await stage.becomes(() => parked(stage), 0)
  },
)
