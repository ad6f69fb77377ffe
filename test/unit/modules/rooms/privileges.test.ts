/** The tables of XEP-0045 §5, written out from the specification and driven through every cell. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  affiliationChangeRefused,
  affiliationMay,
  affiliations,
  initialRole,
  roleChangeRefused,
  roleMay,
  roles,
  type Affiliation,
  type AffiliationPrivilege,
  type Role,
  type RolePrivilege,
} from '../../../../src/modules/rooms/privileges.js'
import { actorsOf, affiliationActs, answers, cells, roleActs } from '../../../support/room-tables.js'

test('XEP-0045 §5.1.1: what each role may do', () => {
  const all = cells(`
    | Privilege                      | none | visitor | participant | moderator |
    | be in                | No   | Yes     | Yes         | Yes       |
    | hear               | No   | Yes     | Yes         | Yes       |
    | see others      | No   | Yes     | Yes         | Yes       |
    | be seen             | No   | Yes     | Yes         | Yes       |
    | say a status     | No   | Yes     | Yes         | Yes       |
    | be renamed           | No   | Yes     | Yes         | Yes       |
    | whisper          | No   | Yes     | Yes         | Yes       |
    | invite             | No   | Yes     | Yes         | Yes       |
    | speak           | No   | No      | Yes         | Yes       |
    | set the subject                 | No   | No      | Yes         | Yes       |
    | kick | No   | No      | No          | Yes       |
    | give voice                    | No   | No      | No          | Yes       |
    | take voice                   | No   | No      | No          | Yes       |
  `)
  assert.equal(all.length, 13 * 4)
  for (const { row, column, value } of all)
    assert.equal(roleMay(column as Role, row as RolePrivilege), value === 'Yes', `${column}: ${row}`)
})

test('XEP-0045 §5.2.1: what each affiliation may do', () => {
  const all = cells(`
    | Privilege                           | outcast | none | member | admin | owner |
    | enter                     | No      | Yes  | Yes    | Yes   | Yes   |
    | register             | No      | Yes  | N/A    | N/A   | N/A   |
    | list members                | No      | No   | Yes    | Yes   | Yes   |
    | enter when closed             | No      | No   | Yes    | Yes   | Yes   |
    | ban  | No      | No   | No     | Yes   | Yes   |
    | set members                    | No      | No   | No     | Yes   | Yes   |
    | set moderators    | No      | No   | No     | Yes   | Yes   |
    | set admins                     | No      | No   | No     | No    | Yes   |
    | set owners                     | No      | No   | No     | No    | Yes   |
    | configure           | No      | No   | No     | No    | Yes   |
    | destroy                        | No      | No   | No     | No    | Yes   |
  `)
  assert.equal(all.length, 11 * 5)
  for (const { row, column, value } of all)
    assert.equal(
      affiliationMay(column as Affiliation, row as AffiliationPrivilege),
      value === 'Yes',
      `${column}: ${row}`,
    )
})

test('XEP-0045 §5.1.2: the role one enters with', () => {
  const rooms = {
    Moderated: { moderated: true, membersOnly: false },
    Unmoderated: { moderated: false, membersOnly: false },
    'Members-Only': { moderated: false, membersOnly: true },
    'Members-Only and moderated': { moderated: true, membersOnly: true },
    Open: { moderated: false, membersOnly: false },
  }
  const all = cells(`
    | Room Type                  | outcast | none        | member      | admin     | owner     |
    | Moderated                  | -       | visitor     | participant | moderator | moderator |
    | Unmoderated                | -       | participant | participant | moderator | moderator |
    | Members-Only               | -       | -           | participant | moderator | moderator |
    | Members-Only and moderated | -       | -           | participant | moderator | moderator |
    | Open                       | -       | participant | participant | moderator | moderator |
  `)
  for (const { row, column, value } of all)
    assert.equal(
      initialRole(column as Affiliation, rooms[row as keyof typeof rooms]) ?? '-',
      value,
      `${column}: ${row}`,
    )
})

for (const [name, { acts, table }] of Object.entries(roleActs)) {
  test(`XEP-0045 §5.1.3: who may ${name}`, () => {
    for (const { row, column, value } of cells(table))
      for (const actor of actorsOf(row))
        for (const [from, to] of acts)
          assert.equal(
            roleChangeRefused(actor, { affiliation: column as Affiliation, role: from }, to, false),
            answers[value],
            `${actor.affiliation} ${actor.role}: ${column} ${from} -> ${to}`,
          )
  })
}

test('XEP-0045 §5.1.3: the tables above have every change of roles, and every actor but the outcast', () => {
  const acts = new Set(Object.values(roleActs).flatMap(({ acts }) => acts.map(String)))
  assert.equal(acts.size, roles.length ** 2)
  for (const { table } of Object.values(roleActs)) {
    const actors = [...new Set(cells(table).map(({ row }) => row))].flatMap(actorsOf)
    assert.equal(new Set(actors.map(({ affiliation, role }) => `${affiliation} ${role}`)).size, 4 * 4)
  }
})

test('XEP-0045 §8.2: a moderator that kicks himself meets a conflict', () => {
  for (const affiliation of ['none', 'member', 'admin', 'owner'] as const) {
    const me = { affiliation, role: 'moderator' } as const
    assert.equal(roleChangeRefused(me, me, 'none', true), 'conflict')
  }
  const participant = { affiliation: 'member', role: 'participant' } as const
  assert.equal(roleChangeRefused(participant, participant, 'none', true), 'forbidden')
})

for (const actor of affiliations) {
  test(`XEP-0045 §5.2.2: which affiliations ${actor} may change to which`, () => {
    const all = cells(affiliationActs[actor]!)
    assert.equal(all.length, 5 * 5)
    for (const { row, column, value } of all)
      assert.equal(
        affiliationChangeRefused(actor, row as Affiliation, column as Affiliation, false),
        answers[value],
        `${actor}: ${row} -> ${column}`,
      )
  })
}

test('XEP-0045 §9.1, §10.4: what one may do to oneself', () => {
  for (const { row, column, value } of cells(`
    | actor   | outcast | none | member | admin | owner |
    | none    | F       | F    | F      | F     | F     |
    | member  | F       | F    | F      | F     | F     |
    | admin   | C       | F    | F      | F     | F     |
    | owner   | C       | ok   | ok     | ok    | ok    |`)) {
    const me = row as Affiliation
    assert.equal(
      affiliationChangeRefused(me, me, column as Affiliation, true),
      answers[value],
      `${me} -> ${column}`,
    )
  }
})
