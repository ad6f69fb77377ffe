/** Who may do what at a node (XEP-0060 §4.1, §4.5): decisions, and nothing else. */
import type { Affiliation, Node, Subscription } from './node.js'
import { refusal } from './refusals.js'
import { StanzaError } from '../../stanza/errors.js'

/** Somebody, as a node knows them. */
export interface Standing {
  readonly affiliation: Affiliation
  /** Whether they may see the owner's presence. */
  readonly sharesPresence: boolean
  /** The groups that the owner's roster has them in. */
  readonly groups: readonly string[]
  /** Theirs at this node, of whichever resource. */
  readonly subscriptions: readonly Subscription[]
}

/** What is in the way of retrieving items; nothing: they may (XEP-0060 §6.5.1). */
export function readRefusal({ config }: Node, who: Standing): StanzaError | undefined {
  const byAffiliation = affiliationRefusal(who)
  if (byAffiliation !== 'decide') return byAffiliation
  if (config.access !== 'authorize') return modelRefusal(config, who)
  const subscribed = who.subscriptions.some(({ state }) => state === 'subscribed')
  return subscribed ? undefined : refusal('not-authorized', 'not-subscribed')
}

/** What is in the way of subscribing; nothing: they may; 'ask': when an owner says so (XEP-0060 §6.1.3, §6.1.4). */
export function subscribeRefusal({ config }: Node, who: Standing): StanzaError | 'ask' | undefined {
  const byAffiliation = affiliationRefusal(who)
  if (byAffiliation !== 'decide') return byAffiliation
  return config.access === 'authorize' ? 'ask' : modelRefusal(config, who)
}

/** Whether they may publish items (XEP-0060 §7.1.3.1). */
export function mayPublish({ config }: Node, who: Standing): boolean {
  switch (who.affiliation) {
    case 'owner':
    case 'publisher':
    case 'publish-only':
      return true
    case 'outcast':
      return false
    case 'member':
    case 'none':
      if (config.publish === 'open') return true
      if (config.publish === 'publishers') return false
      return who.subscriptions.some(({ state }) => state === 'subscribed')
  }
}

/** Whose items they may retract: anybody's, their own, or none (XEP-0060 §4.1, table and note). */
export function mayRetract(node: Node, who: Standing): 'all' | 'none' | 'own' {
  if (who.affiliation === 'owner' || who.affiliation === 'publisher') return 'all'
  return mayPublish(node, who) ? 'own' : 'none'
}

/** Configure, delete, purge, and manage who has to do with it. */
export function owns(who: Standing): boolean {
  return who.affiliation === 'owner'
}

function affiliationRefusal({ affiliation }: Standing): StanzaError | 'decide' | undefined {
  switch (affiliation) {
    case 'owner':
    case 'publisher':
    case 'member':
      return undefined
    case 'publish-only':
    case 'outcast':
      return new StanzaError('forbidden')
    case 'none':
      return 'decide'
  }
}

function modelRefusal({ access, groups }: Node['config'], who: Standing): StanzaError | undefined {
  switch (access) {
    case 'open':
    case 'authorize':
      return undefined
    case 'presence':
      return who.sharesPresence ? undefined : refusal('not-authorized', 'presence-subscription-required')
    case 'roster':
      if (who.sharesPresence && who.groups.some((group) => groups.includes(group))) return undefined
      return refusal('not-authorized', 'not-in-roster-group')
    case 'whitelist':
      return refusal('not-allowed', 'closed-node')
  }
}
