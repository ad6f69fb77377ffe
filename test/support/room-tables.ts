/** The tables of XEP-0045 §5.1.3 and §5.2.2 with what §8 to §10 say of them, written out from the specification. */
import assert from 'node:assert/strict'
import { roles, type Affiliation, type Role } from '../../src/modules/rooms/privileges.js'

/** Rows of a table: the first column is the row's name. The first row names the columns. */
export function cells(table: string): { row: string; column: string; value: string }[] {
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

/**
 * XEP-0045 §5.1.3 with §8.2, §8.4, §9.6 to §9.8. Rows: who acts; columns: the affiliation of whom it is done to.
 * F forbidden, N not-allowed, ok done.
 */
export const roleActs: Readonly<
  Record<string, { readonly acts: readonly [Role, Role][]; readonly table: string }>
> = {
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
  'give voice': {
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
  'take voice': {
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
      | none, moderator        | F    | F      | N     | N     |
      | member, moderator      | F    | F      | N     | N     |
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

export const answers: Readonly<Record<string, string | undefined>> = {
  ok: undefined,
  F: 'forbidden',
  N: 'not-allowed',
  C: 'conflict',
  I: 'item-not-found',
}

/** XEP-0045 §5.2.2 with §9.1 and §10.3 to §10.8. Rows: what somebody is; columns: what he is to be. */
export const affiliationActs: Readonly<Record<string, string>> = {
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

/** The actors that a row stands for. */
export function actorsOf(row: string): { affiliation: Affiliation; role: Role }[] {
  if (row === 'none or member, others')
    return (['none', 'member'] as const).flatMap((affiliation) =>
      (['none', 'visitor', 'participant'] as const).map((role) => ({ affiliation, role })),
    )
  const [affiliation, role] = row.split(', ') as [Affiliation, Role | undefined]
  return (role ? [role] : roles).map((one) => ({ affiliation, role: one }))
}
