/** XEP-0045: rooms in which several people talk, at a domain of their own. */
import { features } from './features.js'
import { RoomService, type RoomSettings } from './service.js'
import { domain, list, options, required } from '../../base/schema.js'
import { defineModule } from '../../host/module.js'
import { Jid } from '../../stanza/jid.js'
import { NS } from '../../xml/namespaces.js'

export default defineModule({
  name: 'rooms',
  summary: 'Rooms in which several people talk',
  xeps: [{ number: 45, version: '1.35.5', status: 'partial' }],
  options: options({
    domains: list(domain(required, ''), [], 'Where rooms are; without one at conference.DOMAIN.'),
  }),

  serviceDomains,

  setup(host, settings) {
    const services = serviceDomains(host.domain, settings).map(
      (name) => new RoomService(host, Jid.of('', name), settings, features),
    )
    return {
      hosts: services.map((service) => ({
        domain: service.address.domain,
        identities: [{ category: 'conference', type: 'text', name: 'Rooms' }],
        features: [NS.muc, ...service.features.all.flatMap(({ serviceFeatures = [] }) => serviceFeatures)],
        iq: [],
        receive: service.receive.bind(service),
        answer: service.answer.bind(service),
      })),
      async stop() {
        for (const service of services) await service.stop()
      },
    }
  },
})

function serviceDomains(own: string, { domains }: RoomSettings): readonly string[] {
  return domains.length > 0 ? domains : [`conference.${own}`]
}
