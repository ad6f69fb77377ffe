/** Who may make rooms (XEP-0045 §10.1.1), and how many. */
import { RoomConfig } from './fields.js'
import { isLasting } from './lasting.js'
import { isPublic } from './listing.js'
import { membersOnlyField } from './members-only.js'
import type { Founded } from './registry.js'
import type { RoomService } from './service.js'
import type { Host } from '../../host/host.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Jid } from '../../stanza/jid.js'

export const creators = ['anybody', 'local', 'admins', 'listed'] as const

/** What a sysadmin sets about new rooms. */
export interface CreationPolicy {
  readonly creation: (typeof creators)[number]
  /** Bare JIDs or domains, whatever `creation` says. */
  readonly creators: readonly string[]
  /** Rooms of one creator at most, at all domains. */
  readonly roomsPerAccount: number
  /** What the form of a new room has at first. */
  readonly public: boolean
  readonly membersOnly: boolean
  readonly persistent: boolean
}

/**
 * The room that somebody wants to enter and that is not there, or the one that was made meanwhile. Nobody else can enter
 * until it is set up.
 * @throws StanzaError `not-allowed` or `resource-constraint`; StorageUnavailable
 */
export async function found(
  { host, settings, registry }: RoomService,
  local: string,
  from: Jid,
): Promise<Founded> {
  await requireCreator(host, settings, from)
  return registry.create({
    local,
    creator: from.bare,
    owners: [from.bare],
    config: firstConfig(settings),
    locked: true,
    most: settings.roomsPerAccount,
  })
}

export function firstConfig(policy: CreationPolicy): RoomConfig {
  return new RoomConfig()
    .with(isPublic, policy.public)
    .with(membersOnlyField, policy.membersOnly)
    .with(isLasting, policy.persistent)
}

/**
 * Whether they may make one at all; how many they have is counted when it is made.
 * @throws StanzaError `not-allowed`
 */
export async function requireCreator(host: Host, policy: CreationPolicy, who: Jid): Promise<void> {
  if (await mayCreate(host, policy, who)) return
  throw new StanzaError('not-allowed', 'You may not make rooms here.')
}

async function mayCreate(
  host: Host,
  { creation, creators: listed }: CreationPolicy,
  who: Jid,
): Promise<boolean> {
  const isListed = listed.includes(who.bare.toString()) || listed.includes(who.domain)
  if (creation === 'anybody' || isListed) return true
  if (creation === 'listed' || who.domain !== host.domain || who.local === '') return false
  const account = await host.account(who.local)
  if (creation === 'local') return account !== undefined
  return account?.role === 'admin' || account?.role === 'domain-admin'
}
