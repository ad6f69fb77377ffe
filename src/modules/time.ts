/** XEP-0202: Entity Time. */
import { options } from '../base/schema.js'
import { iq } from '../host/iq-table.js'
import { defineModule } from '../host/module.js'
import { formatMoment } from '../stanza/delay.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

export default defineModule({
  name: 'time',
  summary: "Tells the server's time",
  xeps: [{ number: 202, version: '2.0' }],
  options: options({}),

  setup(host) {
    const answer = () =>
      el(
        'time',
        NS.time,
        undefined,
        // A server serves people of all zones: its own is none of their business.
        el('tzo', undefined, undefined, '+00:00'),
        el('utc', undefined, undefined, formatMoment(host.clock.now())),
      )
    return { features: [NS.time], iq: [iq('get', 'host', 'time', NS.time, answer)] }
  },
})
