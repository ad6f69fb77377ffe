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

/** Rows of a table: the first column is the row's name. The first row names the columns. */
function cells(table: string): { row: string; column: string; value: string }[] {
  const [head, ...rows] = table
    .trim()
    .split('\n')
    .map((line) =>
      line
        .trim()
        .replaceAll(/^\||\|$/g, '')
        .split('|')
        .map((cell) => cell.trim()),
    )
  return rows.flatMap(([row, ...values]) => {
    assert.equal(values.length, head!.length - 1, `the row ${row} has a cell for each column`)
    return values.map((value, i) => ({ row: row!, column: head![i + 1]!, value }))
  })
}

test('XEP-0045 §5.1.1: privileges associated with roles', () => {
  const all = cells(`
    | Privilege                      | none | visitor | participant | moderator |
    | present in room                | No   | Yes     | Yes         | Yes       |
    | receive messages               | No   | Yes     | Yes         | Yes       |
    | receive occupant presence      | No   | Yes     | Yes         | Yes       |
    | broadcast presence             | No   | Yes     | Yes         | Yes       |
    | change availability status     | No   | Yes     | Yes         | Yes       |
    | change room nickname           | No   | Yes     | Yes         | Yes       |
    | send private messages          | No   | Yes     | Yes         | Yes       |
    | invite other users             | No   | Yes     | Yes         | Yes       |
    | send messages to all           | No   | No      | Yes         | Yes       |
    | modify subject                 | No   | No      | Yes         | Yes       |
    | kick participants and visitors | No   | No      | No          | Yes       |
    | grant voice                    | No   | No      | No          | Yes       |
    | revoke voice                   | No   | No      | No          | Yes       |
  `)
  assert.equal(all.length, 13 * 4)
  for (const { row, column, value } of all)
    assert.equal(roleMay(column as Role, row as RolePrivilege), value === 'Yes', `${column}: ${row}`)
})

test('XEP-0045 §5.2.1: privileges associated with affiliations', () => {
  const all = cells(`
    | Privilege                           | outcast | none | member | admin | owner |
    | enter open room                     | No      | Yes  | Yes    | Yes   | Yes   |
    | register with open room             | No      | Yes  | N/A    | N/A   | N/A   |
    | retrieve member list                | No      | No   | Yes    | Yes   | Yes   |
    | enter members-only room             | No      | No   | Yes    | Yes   | Yes   |
    | ban members and unaffiliated users  | No      | No   | No     | Yes   | Yes   |
    | edit member list                    | No      | No   | No     | Yes   | Yes   |
    | assign and remove moderator role    | No      | No   | No     | Yes   | Yes   |
    | edit admin list                     | No      | No   | No     | No    | Yes   |
    | edit owner list                     | No      | No   | No     | No    | Yes   |
    | change room configuration           | No      | No   | No     | No    | Yes   |
    | destroy room                        | No      | No   | No     | No    | Yes   |
  `)
  assert.equal(all.length, 11 * 5)
  for (const { row, column, value } of all)
    assert.equal(
      affiliationMay(column as Affiliation, row as AffiliationPrivilege),
      value === 'Yes',
      `${column}: ${row}`,
    )
})

test('XEP-0045 §5.1.2: initial role based on affiliation', () => {
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

/**
 * XEP-0045 §5.1.3 with §8.2, §8.4, §9.6 to §9.8. Rows: who acts; columns: the affiliation of whom it is done to.
 * F forbidden, N not-allowed, ok done.
 */
const roleActs: Readonly<Record<string, { readonly acts: readonly [Role, Role][]; readonly table: string }>> =
  {
    'kick a visitor or participant': {
      acts: [
        ['visitor', 'none'],
        ['participant', 'none'],
      ],
      table: `
      | actor                  | none | member | admin | owner |
      | none or member, others | F    | F      | F     | F     |
      | none, moderator        | ok   | N      | N     | N     |
      | member, moderator      | ok   | ok     | N     | N     |
      | admin                  | ok   | ok     | ok    | N     |
      | owner                  | ok   | ok     | ok    | ok    |`,
    },
    'kick a moderator': {
      acts: [['moderator', 'none']],
      table: `
      | actor                  | none | member | admin | owner |
      | none or member, others | F    | F      | F     | F     |
      | none, moderator        | N    | N      | N     | N     |
      | member, moderator      | N    | N      | N     | N     |
      | admin                  | ok   | ok     | ok    | N     |
      | owner                  | ok   | ok     | ok    | ok    |`,
    },
    'grant voice': {
      acts: [
        ['visitor', 'participant'],
        ['visitor', 'visitor'],
        ['participant', 'participant'],
      ],
      table: `
      | actor                  | none | member | admin | owner |
      | none or member, others | F    | F      | F     | F     |
      | none, moderator        | ok   | ok     | ok    | ok    |
      | member, moderator      | ok   | ok     | ok    | ok    |
      | admin                  | ok   | ok     | ok    | ok    |
      | owner                  | ok   | ok     | ok    | ok    |`,
    },
    'revoke voice': {
      acts: [['participant', 'visitor']],
      table: `
      | actor                  | none | member | admin | owner |
      | none or member, others | F    | F      | F     | F     |
      | none, moderator        | ok   | N      | N     | N     |
      | member, moderator      | ok   | N      | N     | N     |
      | admin                  | ok   | ok     | N     | N     |
      | owner                  | ok   | ok     | N     | N     |`,
    },
    'grant moderator status': {
      acts: [
        ['visitor', 'moderator'],
        ['participant', 'moderator'],
        ['moderator', 'moderator'],
      ],
      table: `
      | actor                  | none | member | admin | owner |
      | none or member, others | F    | F      | F     | F     |
      | none, moderator        | F    | F      | F     | F     |
      | member, moderator      | F    | F      | F     | F     |
      | admin                  | ok   | ok     | ok    | ok    |
      | owner                  | ok   | ok     | ok    | ok    |`,
    },
    'revoke moderator status': {
      acts: [
        ['moderator', 'participant'],
        ['moderator', 'visitor'],
      ],
      table: `
      | actor                  | none | member | admin | owner |
      | none or member, others | F    | F      | F     | F     |
      | none, moderator        | F    | F      | F     | F     |
      | member, moderator      | F    | F      | F     | F     |
      | admin                  | ok   | ok     | N     | N     |
      | owner                  | ok   | ok     | N     | N     |`,
    },
    'give a role to who is not there': {
      acts: [
        ['none', 'none'],
        ['none', 'visitor'],
        ['none', 'participant'],
        ['none', 'moderator'],
      ],
      table: `
      | actor                  | none | member | admin | owner |
      | none or member, others | I    | I      | I     | I     |
      | none, moderator        | I    | I      | I     | I     |
      | member, moderator      | I    | I      | I     | I     |
      | admin                  | I    | I      | I     | I     |
      | owner                  | I    | I      | I     | I     |`,
    },
  }

const answers: Readonly<Record<string, string | undefined>> = {
  ok: undefined,
  F: 'forbidden',
  N: 'not-allowed',
  C: 'conflict',
  I: 'item-not-found',
}

/** The actors that a row stands for. */
function actorsOf(row: string): { affiliation: Affiliation; role: Role }[] {
  if (row === 'none or member, others')
    return (['none', 'member'] as const).flatMap((affiliation) =>
      (['none', 'visitor', 'participant'] as const).map((role) => ({ affiliation, role })),
    )
  const [affiliation, role] = row.split(', ') as [Affiliation, Role | undefined]
  return (role ? [role] : roles).map((one) => ({ affiliation, role: one }))
}

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

/** XEP-0045 §5.2.2 with §9.1 and §10.3 to §10.8. Rows: what somebody is; columns: what he is to be. */
const affiliationActs: Readonly<Record<string, string>> = {
  outcast: `
    | from    | outcast | none | member | admin | owner |
    | outcast | F       | F    | F      | F     | F     |
    | none    | F       | F    | F      | F     | F     |
    | member  | F       | F    | F      | F     | F     |
    | admin   | F       | F    | F      | F     | F     |
    | owner   | F       | F    | F      | F     | F     |`,
  none: `
    | from    | outcast | none | member | admin | owner |
    | outcast | F       | F    | F      | F     | F     |
    | none    | F       | F    | F      | F     | F     |
    | member  | F       | F    | F      | F     | F     |
    | admin   | F       | F    | F      | F     | F     |
    | owner   | F       | F    | F      | F     | F     |`,
  member: `
    | from    | outcast | none | member | admin | owner |
    | outcast | F       | F    | F      | F     | F     |
    | none    | F       | F    | F      | F     | F     |
    | member  | F       | F    | F      | F     | F     |
    | admin   | F       | F    | F      | F     | F     |
    | owner   | F       | F    | F      | F     | F     |`,
  admin: `
    | from    | outcast | none | member | admin | owner |
    | outcast | ok      | ok   | ok     | F     | F     |
    | none    | ok      | ok   | ok     | F     | F     |
    | member  | ok      | ok   | ok     | F     | F     |
    | admin   | N       | F    | F      | F     | F     |
    | owner   | N       | F    | F      | F     | F     |`,
  owner: `
    | from    | outcast | none | member | admin | owner |
    | outcast | ok      | ok   | ok     | ok    | ok    |
    | none    | ok      | ok   | ok     | ok    | ok    |
    | member  | ok      | ok   | ok     | ok    | ok    |
    | admin   | ok      | ok   | ok     | ok    | ok    |
    | owner   | ok      | ok   | ok     | ok    | ok    |`,
}

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
