/** What discovery and streams claim, and a test of each that would fail if it did not work: checked by test/scenes/features.test.ts. */
import type { Proof } from './behaviours.js'

export type Claims = Readonly<Record<string, Proof>>

const claim = (file: string, name: string): Proof => [`scenes/${file}`, name]

const modules = (name: string) => claim('modules', name)
const kept = (name: string): Proof => ['unit/modules/kept', name]
const simple = (name: string): Proof => ['unit/modules/simple', name]
const disco = (name: string): Proof => ['unit/modules/disco', name]
const pep = (name: string) => claim('pep', name)
const pubsub = (name: string) => claim('pubsub', name)

const limits = simple('XEP-0478 §3.1: the limits that hold now')
const awayFriend = kept('XEP-0012 §3: a friend learns how long the account has been away')
const commands = claim('commands', 'XEP-0050 §2.4.2, §3.4: form, confirmation, back again, and done')
const info = disco('XEP-0030 §3.1: the server tells what it is and can')
const accountInfo = disco('XEP-0030 §3.1, §4.1: an account tells its owner and friends')
const card = modules('XEP-0054, XEP-0049: cards are for all, private data for its owner')

const retracted = claim('archive-devices', 'XEP-0424 §4: what is retracted is taken out of both archives')
const published = pep('XEP-0163 §3, §4: publishing makes the node; who asks for it hears of it')
const lastItem = pep('XEP-0163 §4.3.4: the last item comes to whoever comes online')
const options = pep('XEP-0060 §7.1.5: options are preconditions')
const access = pubsub('XEP-0060 §4.5, §6.1.3, §6.5.9: what each access model says')
const affiliations = pubsub('XEP-0060 §4.1: what each affiliation may')
const affiliationList = pubsub('XEP-0060 §8.9: the list of affiliations')
const approval = pubsub('XEP-0060 §8.6: who wants to subscribe waits for the owner')
const subscribing = pubsub('XEP-0060 §6.1, §6.2: subscribing for oneself')
const subscriptionOptions = pubsub('XEP-0060 §6.3, §6.4: options of a subscription')
const removals = pubsub('XEP-0060 §7.2, §8.4, §8.5, §8.2.5: retractions, purging, deletion')
const creating = pubsub('XEP-0060 §8.1: creating nodes')
const configuring = pubsub('XEP-0060 §8.2, §8.3: the form shows what is')
const retrieving = pubsub('XEP-0060 §6.5: all items, the newest, some by id, and pages of them')
const discovered = pubsub('XEP-0060 §5: nodes and items are discovered')

/** disco#info of a domain. */
export const domainFeatures: Claims = {
  'http://jabber.org/protocol/caps': disco('XEP-0115 §6.3: the hash in the stream features'),
  'http://jabber.org/protocol/commands': commands,
  'http://jabber.org/protocol/disco#info': info,
  'http://jabber.org/protocol/disco#items': disco('XEP-0030 §4.1: the server lists the services'),
  'jabber:iq:last': kept('XEP-0012 §5: the server tells how long it has been up'),
  'jabber:iq:private': card,
  'jabber:iq:register': modules('XEP-0077: somebody makes an account, logs in'),
  'jabber:iq:search': claim(
    'user-search',
    'XEP-0055 §2.2: found are those who want it, by all that is asked',
  ),
  'jabber:iq:version': simple('XEP-0092 §2: name and version'),
  msgoffline: claim('offline', 'XEP-0160 §2: kept messages are delivered once, in order'),
  'urn:xmpp:blocking': claim('blocking', 'XEP-0191 §3.3: who blocks cannot speak to the blocked'),
  'urn:xmpp:caps': disco('XEP-0390 §5.2, §5.5: the same for its two hashes'),
  'urn:xmpp:carbons:2': claim('carbons', 'XEP-0280 §7: whoever does not get it gets a copy'),
  'urn:xmpp:carbons:rules:0': claim('carbons', 'XEP-0280 §6.1: what is copied, and what not'),
  'urn:xmpp:ping': simple('XEP-0199 §4.2: a ping to the server'),
  'urn:xmpp:reporting:1': claim('blocking', 'XEP-0377: a report is kept for the admin'),
  'urn:xmpp:serverinfo:0': claim('server-info', 'XEP-0485 §3, §4, §7: links are published'),
  'urn:xmpp:time': simple('XEP-0202 §2'),
  'vcard-temp': card,
}

/** disco#info of an account. */
export const accountFeatures: Claims = {
  'http://jabber.org/protocol/commands': commands,
  'http://jabber.org/protocol/disco#info': accountInfo,
  'http://jabber.org/protocol/disco#items': accountInfo,
  'jabber:iq:last': awayFriend,
  'urn:ietf:params:xml:ns:vcard-4.0': claim(
    'profiles',
    'XEP-0292 §4.1, §11: a vCard4 is shown to old clients',
  ),
  'urn:xmpp:bookmarks-conversion:0': claim(
    'bookmarks',
    'XEP-0411 §3: a list of personal eventing is in private XML',
  ),
  'urn:xmpp:bookmarks:1#compat': claim('bookmarks', 'XEP-0402 §5.3.2: a list in private XML becomes items'),
  'urn:xmpp:bookmarks:1#compat-pep': claim('bookmarks', 'XEP-0402 §5.3.1: items are in both lists'),
  'urn:xmpp:fulltext:0': claim('archive', 'XEP-0431 §3: words in what was said'),
  'urn:xmpp:mam:2': claim('archive', 'XEP-0313 §4.3, XEP-0059: pages forwards and backwards'),
  'urn:xmpp:mam:2#extended': claim('archive', 'XEP-0313 §4.3.4: a flipped page is the same one'),
  'urn:xmpp:mam:2#groupchat-field': claim(
    'archive',
    'XEP-0313 §4.1.4: messages of rooms, where they are kept',
  ),
  'urn:xmpp:mds:server-assist:0': claim(
    'displayed',
    'XEP-0490 §4.5.3: the item is published to the own devices',
  ),
  'urn:xmpp:message-retract:1': retracted,
  'urn:xmpp:message-retract:1#tombstone': retracted,
  'urn:xmpp:pep-vcard-conversion:0': claim(
    'profiles',
    'XEP-0398 §3.1: what is published as an avatar is the photo',
  ),
  'urn:xmpp:push:0': claim('push', 'XEP-0357 §5, §7: who is away is told of'),
  'urn:xmpp:sid:0': claim('archive', 'XEP-0359 §3: forged ids are gone from what is delivered'),
  'vcard-temp': card,
  ...pubsubFeatures(),
}

/** XEP-0060 §10, of personal eventing. */
function pubsubFeatures(): Claims {
  const features: Readonly<Record<string, Proof>> = {
    '': published,
    '#access-presence': access,
    '#auto-create': published,
    '#auto-subscribe': published,
    '#config-node': configuring,
    '#config-node-max': pep('modules.pep.items: the oldest makes room'),
    '#create-and-configure': creating,
    '#create-nodes': creating,
    '#delete-items': removals,
    '#delete-nodes': removals,
    '#filtered-notifications': published,
    '#instant-nodes': creating,
    '#item-ids': options,
    '#last-published': lastItem,
    '#manage-subscriptions': approval,
    '#member-affiliation': affiliations,
    '#meta-data': discovered,
    '#modify-affiliations': affiliationList,
    '#multi-items': pep('modules.pep.items: the oldest makes room'),
    '#outcast-affiliation': affiliations,
    '#persistent-items': published,
    '#presence-subscribe': lastItem,
    '#publish': published,
    '#publish-node-full': affiliations,
    '#publish-only-affiliation': affiliations,
    '#publish-options': options,
    '#publisher-affiliation': affiliations,
    '#purge-nodes': removals,
    '#retract-items': removals,
    '#retrieve-affiliations': affiliationList,
    '#retrieve-default': configuring,
    '#retrieve-default-sub': subscriptionOptions,
    '#retrieve-items': retrieving,
    '#retrieve-subscriptions': subscribing,
    '#rsm': retrieving,
    '#subscribe': subscribing,
    '#subscription-notifications': approval,
    '#subscription-options': subscriptionOptions,
  }
  return Object.fromEntries(
    Object.entries(features).map(([name, proof]) => [`http://jabber.org/protocol/pubsub${name}`, proof]),
  )
}

const binding = claim('login', 'RFC 6120 §7.7: the resource asked for is prepared')

/** Stream features under TLS, by namespace: of a stranger, and of who has proved an account. */
export const streamFeatures: Readonly<Record<'before' | 'after', Claims>> = {
  before: {
    'http://jabber.org/features/iq-register': modules('XEP-0077: somebody makes an account, logs in'),
    'urn:ietf:params:xml:ns:xmpp-sasl': binding,
    'urn:xmpp:iap:0': claim('sasl2', 'XEP-0509 §2.2: header and authentication in one breath'),
    'urn:xmpp:sasl:2': claim('sasl2', 'XEP-0388 §2.6.1: success names the account'),
    'urn:xmpp:stream-limits:0': limits,
  },
  after: {
    'http://jabber.org/protocol/caps': disco('XEP-0115 §6.3: the hash in the stream features'),
    'urn:ietf:params:xml:ns:xmpp-bind': binding,
    'urn:ietf:params:xml:ns:xmpp-session': simple('RFC 6121 appendix E: the session of old clients'),
    'urn:xmpp:caps': disco('XEP-0390 §5.2, §5.5: the same for its two hashes'),
    'urn:xmpp:csi:0': claim('client-state', 'XEP-0352 §5.1: active brings all that waited'),
    'urn:xmpp:features:pre-approval': claim('subscriptions', 'RFC 6121 §3.4.2: an approval in advance'),
    'urn:xmpp:features:rosterver': claim('roster', 'RFC 6121 §2.6.3: a client with the present version'),
    'urn:xmpp:sm:3': claim('resumption', 'XEP-0198 §5: resumed comes first'),
    'urn:xmpp:stream-limits:0': limits,
  },
}
