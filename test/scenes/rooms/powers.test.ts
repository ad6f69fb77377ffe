// XEP-0045 §5: every cell of the tables, through the wire.
import assert from 'node:assert/strict'
import { BALL, enters } from '../../support/rooms.js'
import { affiliationActs, answers, cells, roleActs } from '../../support/room-tables.js'
import { scene } from '../../support/stage.js'
import type { Actor } from '../../support/actor.js'
import { affiliations, roles, type Affiliation, type Role } from '../../../src/modules/rooms/privileges.js'
import type { Element } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

/** Changes one item and gives the answer: `ok` or the condition of the error. */
async function changes(actor: Actor, item: string): Promise<string> {
  const reply = await actor.sets(`<query xmlns='${NS.mucAdmin}'><item ${item}/></query>`, BALL)
  return reply.attrs['type'] === 'result' ? 'ok' : conditionOf(reply)
}

function conditionOf(reply: Element): string {
  const error = reply.child('error')
  return error?.childrenOf().find(({ local }) => local !== 'text')?.local ?? reply.toString()
}

/** Brings people into the state that a cell begins with, by an owner, and remembers what they are. */
class Director {
  readonly #known = new Map<Actor, { affiliation: Affiliation; role: Role }>()

  constructor(readonly owner: Actor) {}

  async makes(actor: Actor, affiliation: Affiliation, role: Role): Promise<void> {
    const now = this.#known.get(actor)
    if (now?.affiliation === affiliation && now.role === role) return
    if (now?.affiliation !== affiliation)
      assert.equal(await changes(this.owner, `affiliation='${affiliation}' jid='${actor.bare}'`), 'ok')
    if (role === 'none') {
      actor.sends(`<presence type='unavailable' to='${BALL}/${actor.local}'/>`)
      await actor.settled()
    } else {
      // Also again: everybody is where the test believes.
      await actor.ignoresSoFar()
      await enters(actor)
      assert.equal(await changes(this.owner, `role='${role}' nick='${actor.local}'`), 'ok')
    }
    await actor.ignoresSoFar()
    await this.owner.ignoresSoFar()
    this.#known.set(actor, { affiliation, role })
  }

  /** It is not known any more what this one is. */
  forgets(actor: Actor): void {
    this.#known.delete(actor)
  }
}

/** What somebody can be who is in or not: admins and owners that are in are moderators (§8.4, §9.8). */
const standings = (['none', 'member', 'admin', 'owner'] as const).flatMap((affiliation) =>
  roles
    .filter(
      (role) => affiliation === 'none' || affiliation === 'member' || role === 'none' || role === 'moderator',
    )
    .map((role) => ({ affiliation, role })),
)

function rowOf({ affiliation, role }: { affiliation: Affiliation; role: Role }): string {
  if (affiliation === 'admin' || affiliation === 'owner') return affiliation
  return role === 'moderator' ? `${affiliation}, moderator` : 'none or member, others'
}

for (const actor of standings) {
  scene(
    `XEP-0045 §5.1.3: what ${actor.affiliation} as ${actor.role} may do to everybody's role`,
    async ({ romeo, juliet, nurse }) => {
      await enters(romeo)
      await juliet.connects()
      await nurse.connects()
      const director = new Director(romeo)
      let driven = 0
      for (const { acts, table } of Object.values(roleActs))
        for (const { row, column, value } of cells(table))
          for (const [from, to] of acts) {
            const target = { affiliation: column as Affiliation, role: from }
            const isPossible = standings.some(
              (one) => one.affiliation === target.affiliation && one.role === from,
            )
            if (row !== rowOf(actor) || !isPossible) continue
            await director.makes(juliet, actor.affiliation, actor.role)
            await director.makes(nurse, target.affiliation, from)
            assert.equal(
              await changes(juliet, `role='${to}' nick='nurse'`),
              answers[value] ?? 'ok',
              `${column} ${from} -> ${to}`,
            )
            driven++
            if (answers[value] === undefined) director.forgets(nurse)
            await romeo.ignoresSoFar()
          }
      assert.equal(driven, standings.length * roles.length)
    },
  )
}

for (const actor of affiliations) {
  scene(`XEP-0045 §5.2.2: which affiliations ${actor} may change to which`, async ({ romeo, juliet }) => {
    await enters(romeo)
    await juliet.connects()
    const nurse = `nurse@${romeo.domain}`
    assert.equal(await changes(romeo, `affiliation='${actor}' jid='${juliet.bare}'`), 'ok')
    for (const { row, column, value } of cells(affiliationActs[actor]!)) {
      assert.equal(await changes(romeo, `affiliation='${row}' jid='${nurse}'`), 'ok')
      await romeo.ignoresSoFar()
      assert.equal(
        await changes(juliet, `affiliation='${column}' jid='${nurse}'`),
        answers[value] ?? 'ok',
        `${row} -> ${column}`,
      )
      await romeo.ignoresSoFar()
    }
  })
}
