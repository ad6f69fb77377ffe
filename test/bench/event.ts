/** A PEP event on its way to a hundred contacts whose clients ask for it, without sockets and without a database. */
import { Stage } from '../unit/modules/stage.js'
import { capabilitiesKey, type Capabilities } from '../../src/modules/capabilities/api.js'
import { modules } from '../../src/modules/index.js'
import { pepKey } from '../../src/modules/pubsub/api.js'
import { el } from '../../src/xml/element.js'

const contacts = 100
const events = 1_000
const node = 'urn:bench'
/** What stands on the road of a message, or asks who may have it. */
const onTheRoad = [
  'archive',
  'blocking',
  'capabilities',
  'carbons',
  'client-state',
  'forged-marks',
  'offline',
  'pep',
  'push',
]

const stage = await Stage.with(...modules.filter(({ name }) => onTheRoad.includes(name)))
const { jid } = await stage.client('juliet@capulet.example/balcony')
let written = 0
for (let contact = 0; contact < contacts; contact++) {
  await stage.befriend('juliet', `c${contact}@capulet.example`)
  const client = await stage.client(`c${contact}@capulet.example/phone`)
  client.available()
  const stream = client.session.stream as { send(xml: string): boolean }
  stream.send = () => {
    written++
    return true
  }
}
await stage.host.roster.load(jid)
const features = new Set([`${node}+notify`])
const capabilities = stage.host.service(capabilitiesKey) as {
  -readonly [K in keyof Capabilities]: Capabilities[K]
}
capabilities.of = () => features
const pep = stage.host.service(pepKey)
const payload = el('note', node, undefined, 'Something that contacts want to know, and not too long.')

async function publish(count: number): Promise<number> {
  const start = process.cpuUsage()
  const before = written
  for (let event = 0; event < count; event++) await pep.publish(jid.bare, node, { id: 'current', payload })
  const missing = count * contacts - (written - before)
  if (missing !== 0) throw new Error(`${missing} events of ${count * contacts} were not written`)
  const { user, system } = process.cpuUsage(start)
  return (user + system) / (count * contacts)
}

await publish(events)
const microseconds = await publish(events)
console.log(`event: published to ${contacts} contacts: ${microseconds.toFixed(3)} us of CPU a delivery`)
