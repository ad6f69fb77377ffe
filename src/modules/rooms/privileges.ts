/** Roles and affiliations, what each may do, and who may change them: the tables of XEP-0045 §5 as data. */
import type { StanzaCondition } from '../../stanza/errors.js'

/** XEP-0045 §5.1, from the least to the most; `none`: not in the room. */
export const roles = ['none', 'visitor', 'participant', 'moderator'] as const
export type Role = (typeof roles)[number]

/** Of somebody who is in the room. */
export type PresentRole = Exclude<Role, 'none'>

/** XEP-0045 §5.2, from the least to the most. */
export const affiliations = ['outcast', 'none', 'member', 'admin', 'owner'] as const
export type Affiliation = (typeof affiliations)[number]

export function isRole(text: string): text is Role {
  return (roles as readonly string[]).includes(text)
}

export function isAffiliation(text: string): text is Affiliation {
  return (affiliations as readonly string[]).includes(text)
}

/** What somebody is in a room. Who is not in it has the role `none`. */
export interface Standing {
  readonly affiliation: Affiliation
  readonly role: Role
}

const no = false
const yes = true

/** XEP-0045 §5.1.1, the defaults: what a room's configuration changes of them is the business of the feature that has it. */
const rolePrivileges = {
  // none, visitor, participant, moderator
  'be in': [no, yes, yes, yes],
  hear: [no, yes, yes, yes],
  'see others': [no, yes, yes, yes],
  'be seen': [no, yes, yes, yes],
  'say a status': [no, yes, yes, yes],
  'be renamed': [no, yes, yes, yes],
  whisper: [no, yes, yes, yes],
  invite: [no, yes, yes, yes],
  speak: [no, no, yes, yes],
  'set the subject': [no, no, yes, yes],
  kick: [no, no, no, yes],
  'give voice': [no, no, no, yes],
  'take voice': [no, no, no, yes],
} as const satisfies Record<string, readonly [boolean, boolean, boolean, boolean]>

export type RolePrivilege = keyof typeof rolePrivileges

/** Whether the role alone allows it (XEP-0045 §5.1.1). */
export function roleMay(role: Role, privilege: RolePrivilege): boolean {
  return rolePrivileges[privilege][roles.indexOf(role)] === true
}

/** XEP-0045 §5.2.1. Where the table says N/A the answer is no: who has the affiliation needs no more of it. */
const affiliationPrivileges = {
  // outcast, none, member, admin, owner
  enter: [no, yes, yes, yes, yes],
  register: [no, yes, no, no, no],
  'list members': [no, no, yes, yes, yes],
  'enter when closed': [no, no, yes, yes, yes],
  ban: [no, no, no, yes, yes],
  'set members': [no, no, no, yes, yes],
  'set moderators': [no, no, no, yes, yes],
  'set admins': [no, no, no, no, yes],
  'set owners': [no, no, no, no, yes],
  configure: [no, no, no, no, yes],
  destroy: [no, no, no, no, yes],
} as const satisfies Record<string, readonly [boolean, boolean, boolean, boolean, boolean]>

export type AffiliationPrivilege = keyof typeof affiliationPrivileges

/** Whether the affiliation alone allows it (XEP-0045 §5.2.1). */
export function affiliationMay(affiliation: Affiliation, privilege: AffiliationPrivilege): boolean {
  return affiliationPrivileges[privilege][affiliations.indexOf(affiliation)] === true
}

/** The role somebody enters with (XEP-0045 §5.1.2); undefined: no entry. */
export function initialRole(
  affiliation: Affiliation,
  room: { readonly moderated: boolean; readonly membersOnly: boolean },
): PresentRole | undefined {
  switch (affiliation) {
    case 'outcast':
      return undefined
    case 'none':
      if (room.membersOnly) return undefined
      return room.moderated ? 'visitor' : 'participant'
    case 'member':
      return 'participant'
    case 'admin':
    case 'owner':
      return 'moderator'
  }
}

/** At least how much of an affiliation or role an act needs; undefined: nobody does it by asking. */
type Needs = 'moderator' | 'admin' | 'owner' | undefined

/** XEP-0045 §5.1.3, as far as others change it: nobody is brought in by asking. */
const roleChanges: Readonly<Record<Role, Readonly<Record<Role, Needs>>>> = {
  none: { none: undefined, visitor: undefined, participant: undefined, moderator: undefined },
  visitor: { none: 'moderator', visitor: 'moderator', participant: 'moderator', moderator: 'admin' },
  participant: { none: 'moderator', visitor: 'moderator', participant: 'moderator', moderator: 'admin' },
  moderator: { none: 'admin', visitor: 'admin', participant: 'admin', moderator: 'admin' },
}

/** XEP-0045 §5.2.2, as far as others change it. What changes nothing needs what the list needs (§9.5, §10.5, §10.8). */
const affiliationChanges: Readonly<Record<Affiliation, Readonly<Record<Affiliation, Needs>>>> = {
  outcast: { outcast: 'admin', none: 'admin', member: 'admin', admin: 'owner', owner: 'owner' },
  none: { outcast: 'admin', none: 'admin', member: 'admin', admin: 'owner', owner: 'owner' },
  member: { outcast: 'admin', none: 'admin', member: 'admin', admin: 'owner', owner: 'owner' },
  admin: { outcast: 'owner', none: 'owner', member: 'owner', admin: 'owner', owner: 'owner' },
  owner: { outcast: 'owner', none: 'owner', member: 'owner', admin: 'owner', owner: 'owner' },
}

/** Why `actor` may not give an occupant that role; undefined when it may. `self`: it is the actor's own. */
export function roleChangeRefused(
  actor: Standing,
  target: Standing,
  to: Role,
  self: boolean,
): StanzaCondition | undefined {
  const needs = roleChanges[target.role][to]
  if (needs === undefined) return 'item-not-found'
  // §8, §9: who is no moderator, or no admin where it takes one, is `forbidden`, whomever it is about.
  if (!isModerator(actor)) return 'forbidden'
  if (to === 'none') {
    // §8.2: kicking oneself may be denied with this.
    if (self) return 'conflict'
    // §8.2 and §5.1.3: nobody of a higher affiliation, and no moderator but by an admin.
    const kickable = !outranks(target, actor) && (needs === 'moderator' || isAdmin(actor))
    return kickable ? undefined : 'not-allowed'
  }
  const isLess = roles.indexOf(to) < roles.indexOf(target.role)
  // §8.4, §9.7, §9.8: admins and owners keep voice and moderator status as long as they are what they are.
  if (isLess && isAdmin(target)) return 'not-allowed'
  if (needs === 'admin' && !isAdmin(actor)) return 'forbidden'
  if (!isLess) return undefined
  // §8.4: not from a user whose affiliation is at or above the moderator's. Who has none has nothing to compare.
  if (needs === 'moderator' && target.affiliation !== 'none' && !outranks(actor, target)) return 'not-allowed'
  return undefined
}

/**
 * Why somebody of affiliation `actor` may not change another's `from` to `to`; undefined when he may. `self`: it is his
 * own. That a room keeps an owner (§10.4) is to be seen to beside this.
 */
export function affiliationChangeRefused(
  actor: Affiliation,
  from: Affiliation,
  to: Affiliation,
  self: boolean,
): StanzaCondition | undefined {
  if (!affiliationMay(actor, 'set members')) return 'forbidden'
  // §9.1: this one MUST be denied, by a condition of its own.
  if (to === 'outcast' && self) return 'conflict'
  if (affiliationChanges[from][to] === 'admin' || actor === 'owner') return undefined
  // §9.1: an admin that bans an owner; §10.3-10.8: all else that is for owners alone.
  return to === 'outcast' ? 'not-allowed' : 'forbidden'
}

/** §5.1.3: an admin or owner is by that fact a moderator, also while not in the room. */
function isModerator(who: Standing): boolean {
  return who.role === 'moderator' || isAdmin(who)
}

function isAdmin(who: Standing): boolean {
  return affiliationMay(who.affiliation, 'set moderators')
}

function outranks(one: Standing, other: Standing): boolean {
  return affiliations.indexOf(one.affiliation) > affiliations.indexOf(other.affiliation)
}
