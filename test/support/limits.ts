/** Every bound that an admin can set or meet, what counts it, and the three tests of it: checked by test/unit/limits.test.ts. */
import type { Proof } from './behaviours.js'
import type { Bound } from '../../src/base/limit-hits.js'

export interface Limit {
  /** As in the configuration, or in words when it is no option. */
  readonly name: string
  /** Its label in `parley_limit_hits_total`. */
  readonly metric: Bound
  /** At the limit all is well. */
  readonly below: Proof
  /** Just above it comes the error of its name, or the wait. */
  readonly above: Proof
  /** A hundred times above it costs no memory. */
  readonly far: Proof
}

/** The tests `below`, `above` and `far`, where one test shows several of them it is named again. */
function limit(name: string, metric: Bound, below: Proof, above: Proof = below, far: Proof = above): Limit {
  return { name, metric, below, above, far }
}

const scene = (name: string): Proof => ['scenes/limits', name]
const flood = (name: string): Proof => ['scenes/floods', name]
const hostile = (name: string): Proof => ['scenes/federation-hostile', name]
const far = (name: string): Proof => ['scenes/federation-floods', name]
const slow = (name: string): Proof => ['scenes/slow-readers', name]

const stanzaSize = scene('limits.c2s_stanza_size: at the limit it passes')
const preauth = scene('limits.preauth_size, limits.preauth_elements: strangers get less')
const preauthFlood = flood('a hundred strangers who say a hundred times too much')
const shapes = scene('limits.depth, limits.elements, limits.attributes, limits.namespaces')
const rate = flood('limits.c2s_rate, limits.c2s_burst: the burst is taken at once')
const stanzaRate = scene('limits.c2s_stanza_rate: the burst is served at once')
const tooFast = flood('what comes a hundred times too fast is not read')
const lockout = flood('limits.lockout_failures, limits.lockout_time: four hundred guesses are four')
const strangers: Proof = ['unit/tls/admission', 'fifty strangers of one address may be open']
const manyStrangers: Proof = ['unit/tls/admission', 'a hundred times too many change nothing']
const registration = scene('limits.roster_size, registration attempts')
const idle = flood('limits.idle_ping: who falls silent is asked once')
const slowReader = slow('a slow reader is not read from past the mark')
const dropped = slow('past limits.write_queue it is dropped')
const stuck = slow('limits.write_timeout: without progress')
const queue: Proof = ['scenes/federation-queue', 'limits §1: a queue that is full in number or in size']
const tooFastServer = hostile('limits.s2s_rate: a server that sends too fast')
const waits: Proof = ['scenes/federation-queue', 'limits §3 P9: messages wait five minutes']
const silent: Proof = ['scenes/federation-queue', 'A server that takes the connection and says nothing']
const caps = (name: string): Proof => ['scenes/capabilities', name]
const pep = (name: string): Proof => ['scenes/pep', name]
const service: Proof = [
  'scenes/pubsub-service',
  'modules.pubsub.nodes, modules.pubsub.items, modules.pubsub.size',
]
const keptXml: Proof = ['unit/modules/kept', 'private XML over the quota is refused; making room is not']
const reports: Proof = ['scenes/blocking', 'modules.blocking.reports, report_rate: the oldest goes']
const clientState: Proof = [
  'scenes/client-state',
  'modules.client-state.queue, queue_size: when too much waits',
]

export const limits: readonly Limit[] = [
  limit('limits.c2s_stanza_size', 'c2s_stanza_size', stanzaSize, stanzaSize,
    scene('limits.c2s_stanza_size, limits.c2s_rate: a hundred times too much is neither read nor kept')),
  limit('limits.preauth_size', 'preauth_size', preauth, preauth, preauthFlood),
  limit('limits.preauth_elements', 'preauth_elements', preauth, preauth, preauthFlood),
  limit('limits.depth', 'depth', shapes),
  limit('limits.elements', 'elements', shapes),
  limit('limits.attributes', 'attributes', shapes),
  limit('limits.namespaces', 'namespaces', shapes),
  limit('limits.login_timeout', 'login_timeout', scene('limits.login_timeout: in time or not at all'), undefined,
    flood('limits.login_timeout: two thousand who never log in')),
  limit('limits.c2s_rate', 'c2s_rate', rate, rate, tooFast),
  limit('limits.c2s_burst', 'c2s_rate', rate, rate, tooFast),
  limit('limits.c2s_stanza_rate', 'c2s_stanza_rate', stanzaRate, stanzaRate, tooFast),
  limit('limits.c2s_stanza_burst', 'c2s_stanza_rate', stanzaRate, stanzaRate, tooFast),
  limit('limits.login_failures', 'login_failures', flood('limits.login_failures: four may be followed by a success')),
  limit('limits.lockout_failures', 'lockout_failures', lockout, lockout,
    ['unit/base/rate', 'a hundred times more keys than are remembered cost no more memory']),
  limit('limits.lockout_time', 'lockout_failures', lockout),
  limit('limits.sessions_per_account', 'sessions_per_account', scene('limits.sessions_per_account'), undefined,
    flood('limits.sessions_per_account: two hundred more are refused')),
  limit('limits.connections_per_address', 'connections_per_address', strangers,
    ['unit/tls/listener', 'an address may have so many strangers'], manyStrangers),
  limit('limits.connection_rate', 'connection_rate', strangers,
    ['unit/tls/listener', 'an address may come so often'], manyStrangers),
  limit('limits.connection_burst', 'connection_rate', strangers,
    ['unit/tls/listener', 'an address may come so often'], manyStrangers),
  limit('limits.offline_messages', 'offline_messages', scene('limits.offline_messages: what is over comes back')),
  limit('limits.offline_size', 'offline_messages', flood('limits.offline_size: up to it messages are kept')),
  limit('limits.roster_size', 'roster_size', registration),
  limit('limits.write_pause', 'write_pause', slowReader, slowReader, flood('limits.write_pause: who reads no answers')),
  limit('limits.write_queue', 'write_queue', slowReader, dropped, flood('limits.write_queue: of a hundred times as much')),
  limit('limits.write_timeout', 'write_timeout', stuck, stuck, flood('limits.write_timeout: a hundred who do not read')),
  limit('limits.sm_queue', 'sm_queue', ['scenes/management', 'gets no more than the window holds until it acknowledges'],
    ['scenes/management', 'a client that stops acknowledging is disconnected'], flood('limits.sm_queue, limits.sm_queue_size')),
  limit('limits.sm_queue_size', 'sm_queue', flood('limits.sm_queue, limits.sm_queue_size')),
  limit('limits.sm_time', 'sm_time', ['scenes/resumption', 'XEP-0198 §4, §5: who does not come back leaves messages']),
  limit('limits.sm_time_max', 'sm_time_max', ['scenes/resumption', 'XEP-0198 §3: resumable for 300 seconds']),
  limit('limits.parked_sessions', 'parked_sessions',
    ['scenes/resumption', 'limits.parked_sessions: of one more than may wait the oldest ends'], undefined,
    ['scenes/resumption', 'limits.parked_sessions: a hundred times as many']),
  limit('limits.idle_ping', 'idle_ping', idle, idle, flood('limits.idle_ping: a hundred who are gone')),
  limit('limits.memory_guard', 'memory_guard', scene('limits.memory_guard: past it nobody new comes in'), undefined,
    flood('limits.memory_guard: of a hundred who come past it')),
  limit('limits.s2s_stanza_size', 's2s_stanza_size', hostile('limits.s2s_stanza_size: a larger stanza is refused'), undefined,
    far('limits.s2s_stanza_size: a hundred times too much')),
  limit('limits.s2s_queue', 's2s_queue', queue, queue, far('limits.s2s_queue, limits.s2s_queue_size')),
  limit('limits.s2s_queue_size', 's2s_queue_size', queue, queue, far('limits.s2s_queue, limits.s2s_queue_size')),
  limit('limits.s2s_rate', 's2s_rate', tooFastServer, tooFastServer, far('limits.s2s_rate, limits.s2s_burst: what comes')),
  limit('limits.s2s_burst', 's2s_rate', tooFastServer, tooFastServer, far('limits.s2s_rate, limits.s2s_burst: what comes')),
  limit('limits.s2s_retry_max', 's2s_retry_max',
    ['scenes/federation-queue', 'limits.s2s_retry_max: pauses between attempts grow up to it']),
  limit('limits.s2s_message_timeout', 's2s_message_timeout', waits, waits, far('limits.s2s_connect_timeout, limits.s2s_message_timeout')),
  limit('limits.s2s_iq_timeout', 's2s_iq_timeout', waits, waits, far('limits.s2s_connect_timeout, limits.s2s_message_timeout')),
  limit('limits.s2s_idle', 's2s_idle', ['scenes/federation-queue', 'A stream without stanzas for limits.s2s_idle'], undefined,
    far('limits.s2s_idle: a hundred streams')),
  limit('limits.s2s_connect_timeout', 's2s_connect_timeout', silent, silent, far('limits.s2s_connect_timeout, limits.s2s_message_timeout')),
  limit('limits.s2s_domains', 's2s_domains', hostile('limits.s2s_domains: so many domains on one stream'), undefined,
    far('limits.s2s_domains, limits.s2s_dialbacks')),
  limit('limits.s2s_dialbacks', 's2s_dialbacks', hostile('limits §2: 300 invented domains'), undefined,
    far('limits.s2s_domains, limits.s2s_dialbacks')),
  limit('limits.s2s_streams', 's2s_streams', hostile('limits.s2s_streams: no more streams than that'), undefined,
    far('limits.s2s_streams: two hundred more')),
  limit('modules.registration.attempts', 'registration', registration),
  limit('modules.registration.accounts', 'registered_accounts',
    ['unit/modules/registration', 'registration: closed when the domain has enough accounts']),
  limit('modules.user-search.listed', 'listed_users',
    ['scenes/user-search', 'modules.user-search.listed: one more is refused']),
  limit('ad-hoc commands that a session has begun', 'ad_hoc_dialogues',
    ['scenes/commands', 'XEP-0050 §3.3: a command that nobody goes on with is over']),
  limit('types of services that a session hears of', 'external_services',
    ['unit/modules/external-services', 'XEP-0215 §3.2: of ten types a session hears changes']),
  limit('modules.private-xml.quota', 'private_xml', keptXml),
  limit('modules.capabilities.hashes', 'caps_hashes', caps('modules.capabilities.hashes: so many are remembered')),
  limit('modules.capabilities.resources', 'caps_resources', caps('modules.capabilities.resources: in all so many')),
  limit('resources of one contact elsewhere', 'caps_resources', caps('of one contact so many resources are remembered')),
  limit('modules.profiles.photo_size', 'photo_size',
    ['scenes/profiles', 'modules.profiles.photo_size: a larger photo is refused']),
  limit('features of a client', 'caps_size', caps('an answer of more than 32 KB or 500 features is not believed')),
  limit('addresses in archiving preferences', 'archive_preferences',
    ['scenes/archive-preferences', 'Addresses in archiving preferences: a thousand are kept']),
  limit('modules.blocking.list', 'block_list', ['scenes/blocking', 'modules.blocking.list: what is over is refused']),
  limit('modules.blocking.reports', 'reports', reports),
  limit('modules.blocking.report_rate', 'reports', reports),
  limit('modules.push.devices', 'push_registrations',
    ['scenes/push', 'modules.push.devices: the registration enabled least recently goes for a further one']),
  limit('devices that are away and may be told', 'push_devices',
    ['unit/modules/push', 'no more devices are remembered than may be, and no more wait for an app server']),
  limit('modules.pep.items', 'pep_items', pep('modules.pep.items: the oldest makes room')),
  limit('modules.pep.nodes', 'pep_nodes', pep('modules.pep.nodes: one more is refused')),
  limit('modules.pep.size', 'pep_size', pep('modules.pep.size: what is over is refused')),
  limit('modules.client-state.queue', 'client_state_queue', clientState),
  limit('modules.client-state.queue_size', 'client_state_queue', clientState),
  limit('modules.pubsub.items', 'pubsub_items', service),
  limit('modules.pubsub.nodes', 'pubsub_nodes', service),
  limit('modules.pubsub.size', 'pubsub_size', service),
  limit('those who have to do with a pubsub node', 'pubsub_entities',
    ['scenes/pubsub', 'a thousand may have to do with a node, and ten addresses of each be subscribed']),
  limit('modules.rooms.rooms_per_account', 'rooms_per_account',
    ['scenes/rooms/creating', 'modules.rooms.rooms_per_account: one room more than may be is refused']),
  limit('modules.remote-rooms.rooms', 'remote_rooms',
    ['scenes/remote-rooms', 'modules.remote-rooms.rooms: so many are watched']),
  limit('modules.rooms.message_size', 'room_message_size',
    ['scenes/rooms/limits', 'modules.rooms.message_size: ']),
  limit('modules.rooms.presence_size', 'room_presence_size',
    ['scenes/rooms/limits', 'modules.rooms.presence_size: ']),
  limit('modules.rooms.occupant_rate', 'room_occupant_rate',
    ['scenes/rooms/limits', 'modules.rooms.occupant_rate: ']),
  limit('modules.rooms.rate', 'room_rate',
    ['scenes/rooms/limits', 'modules.rooms.rate: ']),
  limit('modules.rooms.presence_rate', 'room_presence_rate',
    ['scenes/rooms/limits', 'modules.rooms.presence_rate: ']),
  limit('modules.rooms.nick_rate', 'room_nick_rate',
    ['scenes/rooms/limits', 'modules.rooms.nick_rate: ']),
  limit('modules.rooms.occupants', 'room_occupants',
    ['scenes/rooms/capacity', 'modules.rooms.occupants: one more than may be in is refused']),
  limit('searches for rooms', 'room_searches',
    ['scenes/rooms/channel-search', '§4.2.2.4: so many searches at once, and no more']),
  limit('the card of a room', 'room_card',
    ['scenes/rooms/avatars', 'a card is as large as its bound, and no larger']),
  limit('clients of one account under one nickname', 'room_clients',
    ['scenes/rooms/capacity', 'so many clients of one account under one nickname, and no more']),
  limit('modules.rooms.affiliations', 'room_affiliations',
    ['scenes/rooms/affiliations', 'modules.rooms.affiliations: the lists of a room hold so many']),
  limit('hats of a room', 'room_hats', ['scenes/rooms/hats', 'a room has fifty hats, and two hundred who wear one']),
  limit('passwords that wait to be hashed', 'password_queue',
    ['unit/sasl/password', 'no more derivations wait than may, the others are refused at once']),
  limit('callers that wait for a database connection', 'database_queue',
    ['unit/storage/database', 'more callers than may wait for a connection are refused']),
] // prettier-ignore

/** Bounds whose three tests are not all there yet, by the beginning of the option's name. */
export const later: readonly string[] = []
