/** How often each bound of the configuration was met: the figures to look at before one is raised. */
import type { Counter, Metrics } from './metrics.js'

/** Options of `[limits]` by their names, then the bounds that are no options. */
export const bounds = [
  'c2s_stanza_size',
  'preauth_size',
  'preauth_elements',
  'depth',
  'elements',
  'attributes',
  'namespaces',
  'login_timeout',
  'c2s_rate',
  'c2s_stanza_rate',
  'login_failures',
  'lockout_failures',
  'sessions_per_account',
  'connections_per_address',
  'connection_rate',
  'offline_messages',
  'roster_size',
  'write_pause',
  'write_queue',
  'write_timeout',
  'sm_queue',
  'sm_time',
  'sm_time_max',
  'parked_sessions',
  'idle_ping',
  's2s_stanza_size',
  's2s_rate',
  's2s_queue',
  's2s_queue_size',
  's2s_retry_max',
  's2s_message_timeout',
  's2s_iq_timeout',
  's2s_connect_timeout',
  's2s_idle',
  's2s_domains',
  's2s_dialbacks',
  's2s_streams',
  'memory_guard',
  'registration',
  'registered_accounts',
  'private_xml',
  'pep_items',
  'pep_nodes',
  'pep_size',
  'pubsub_entities',
  'pubsub_items',
  'pubsub_nodes',
  'pubsub_size',
  'caps_hashes',
  'caps_resources',
  'caps_size',
  'block_list',
  'client_state_queue',
  'reports',
  'archive_preferences',
  'push_registrations',
  'push_devices',
  'ad_hoc_dialogues',
  'external_services',
  'listed_users',
  'remote_rooms',
  'room_card',
  'room_clients',
  'room_searches',
  'room_message_size',
  'room_nick_rate',
  'room_occupant_rate',
  'room_presence_rate',
  'room_presence_size',
  'room_rate',
  'room_occupants',
  'photo_size',
  'room_affiliations',
  'room_hats',
  'rooms_per_account',
  'password_queue',
  'database_queue',
] as const
export type Bound = (typeof bounds)[number]

export class LimitHits {
  readonly #counters: Readonly<Record<Bound, Counter>>

  constructor(metrics: Metrics) {
    const family = metrics.counters('limit_hits_total', 'Times that a limit was met, by its option', [
      'limit',
    ])
    this.#counters = Object.fromEntries(bounds.map((bound) => [bound, family.of(bound)])) as Record<
      Bound,
      Counter
    >
  }

  add(bound: Bound): void {
    this.#counters[bound].add()
  }
}
