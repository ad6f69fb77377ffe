/** XEP-0045: rooms in which several people talk, at a domain of their own. */
import { isIP } from 'node:net'
import { roomCommands } from './commands.js'
import { roomFigures, type RoomFigures } from './api.js'
import { creators } from './creation.js'
import { features } from './features.js'
import { publicRooms, roomsOf } from './service-disco.js'
import { RoomService, type RoomSettings } from './service.js'
import {
  choice,
  domain,
  duration,
  flag,
  jid,
  list,
  number,
  options,
  rate,
  required,
  size,
} from '../../base/schema.js'
import { defineModule, serviceKey } from '../../host/module.js'
import { Jid } from '../../stanza/jid.js'
import { NS } from '../../xml/namespaces.js'

export default defineModule({
  name: 'rooms',
  summary: 'Rooms in which several people talk',
  xeps: [
    { number: 45, version: '1.35.5' },
    { number: 59, version: '1.0' },
    { number: 307, version: '0.1' },
    { number: 313, version: '1.1.3', note: 'of rooms' },
    { number: 359, version: '0.7.0' },
    { number: 421, version: '1.0.1' },
    { number: 424, version: '0.4.2', note: 'tombstones in archives of rooms' },
    { number: 425, version: '0.3.0' },
    { number: 431, version: '0.2.0' },
    { number: 410, version: '1.1.0' },
    { number: 433, version: '0.1.0' },
    { number: 437, version: '0.2.0' },
    { number: 452, version: '0.2.2' },
    { number: 486, version: '0.1.0' },
    { number: 500, version: '0.1.1' },
    { number: 502, version: '0.1.0' },
    { number: 317, version: '0.3.1' },
    { number: 463, version: '0.2.0', note: 'for those who see addresses' },
  ],
  options: options({
    domains: list(domain(required, ''), [], 'Where rooms are; without one at conference.DOMAIN.'),
    archive: flag(true, 'Keep what is said in rooms, unless their owners do not want it.'),
    keep: duration(
      'off',
      'How long it is kept, such as "365d"; owners may want less. Off: as long as the room is there.',
      { off: true, min: '1d' },
    ),
    page: number(250, 'Messages of an archive that a client gets at once.', { min: 1, max: 1000 }),
    occupants: number(500, 'People who may be in one room.', { min: 2, max: 10_000, unit: 'occupants' }),
    affiliations: number(5000, 'Members, admins, owners and banned addresses of one room, together.', {
      min: 10,
    }),
    creation: choice(
      creators,
      'local',
      'Who may make rooms: anybody, accounts of this domain, its admins, or only those who are listed.',
    ),
    creators: list(
      jid(required, ''),
      [],
      'Addresses and domains that may make rooms whatever creation says.',
    ),
    roomsPerAccount: number(100, 'Rooms that one address may have made.', {
      min: 1,
      max: 1_000_000,
      unit: 'rooms',
    }),
    public: flag(false, 'Whether new rooms stand in lists, until their owners say otherwise.'),
    membersOnly: flag(false, 'Whether only members enter new rooms, until their owners say otherwise.'),
    persistent: flag(
      false,
      'Whether new rooms stay when everybody has left, until their owners say otherwise.',
    ),
    messageSize: size('128KiB', 'What one message in a room may take.', { min: '1KiB', max: '1MiB' }),
    presenceSize: size('16KiB', 'What the presence of one occupant may take.', {
      min: '1KiB',
      max: '256KiB',
    }),
    occupantRate: rate('5/s', 'Messages of one account in one room; ten seconds of them may come at once.', {
      off: true,
    }),
    rate: rate('50/s', 'Messages of all in one room; ten seconds of them may come at once.', { off: true }),
    presenceRate: rate('3/s', 'Entries and changes of presence of one account in one room; likewise.', {
      off: true,
    }),
    nickRate: rate('6/min', 'Changes of nickname of one account in one room.', { off: true }),
  }),

  serviceDomains,

  setup(host, settings) {
    const before = host.provided(byDomain)
    const services = serviceDomains(host.domain, settings).map((name) => {
      const address = Jid.of('', name)
      return new RoomService({ host, address, settings }, features, before?.get(address.domain))
    })
    const own = new Map(services.map((service) => [service.address.domain, service]))
    const all = <K extends ServerHook>(hook: K) => services.flatMap(({ features: of }) => of.with(hook))
    return {
      hosts: services.map((service) => ({
        domain: service.address.domain,
        identities: [{ category: 'conference', type: 'text', name: 'Rooms' }],
        features: [
          NS.muc,
          NS.mucStableId,
          NS.resultSets,
          ...service.features.all.flatMap(({ serviceFeatures = [] }) => serviceFeatures),
        ],
        iq: service.features.all.flatMap(({ serviceIq = [] }) => serviceIq),
        list: (request) => publicRooms(service, request),
        branch: {
          at: 'host',
          items: ({ from }, node) => (node === NS.mucRooms ? roomsOf(service, from) : undefined),
        },
        receive: service.receive.bind(service),
        answer: service.answer.bind(service),
      })),
      commands: roomCommands(services),
      events: {
        started() {
          for (const started of all('started')) started()
        },
        async stopping() {
          for (const stopping of all('stopping')) await stopping()
        },
        async accountDeleted(account) {
          for (const deleted of all('accountDeleted')) await deleted(account)
        },
        linkBroken(remote) {
          for (const broken of all('linkBroken')) broken(remote)
        },
        linkOpened(remote) {
          for (const opened of all('linkOpened')) opened(remote)
        },
      },
      provides: [
        { key: byDomain, value: own },
        { key: roomFigures, value: () => figuresOf(services) },
      ],
      async stop() {
        const now = host.provided(byDomain)
        for (const [name, service] of own) await service.stop(now?.get(name))
      },
    }
  },
})

/** Also those of before a reload, while others are being set up. */
const byDomain = serviceKey<ReadonlyMap<string, RoomService>>('rooms')

type ServerHook = 'accountDeleted' | 'started' | 'stopping' | 'linkBroken' | 'linkOpened'

function figuresOf(services: readonly RoomService[]): RoomFigures {
  const figures = { used: 0, idle: 0, occupants: 0 }
  for (const { registry } of services)
    for (const { clients, occupants } of registry.loaded) {
      if (clients.size > 0) figures.used++
      else figures.idle++
      figures.occupants += occupants.size
    }
  return figures
}

function serviceDomains(own: string, { domains }: RoomSettings): readonly string[] {
  if (domains.length > 0) return [...new Set(domains)]
  // There are no names below an address.
  return isIP(own.replace(/^\[|\]$/g, '')) === 0 ? [`conference.${own}`] : []
}
