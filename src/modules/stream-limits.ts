/** XEP-0478: Stream Limits Advertisement. Tells the peer how large its stanzas may be, and when it counts as silent. */
import { options } from '../base/schema.js'
import { defineModule, type StreamFeature } from '../host/module.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** XEP-0478 §4: the limits change with authentication, and are told again then. */
const limits: StreamFeature = {
  ns: NS.streamLimits,
  reads: [],
  fits: () => true,
  offer({ stream, facts, idleAfter }) {
    const { before, after } = stream.options.limits
    const { bytes } = facts.authenticated ? after : before
    return el(
      'limits',
      NS.streamLimits,
      undefined,
      whole('max-bytes', bytes),
      // Who has not authenticated is not asked whether it is there, only given up after a while.
      facts.authenticated && idleAfter > 0 ? whole('idle-seconds', idleAfter / 1000) : undefined,
    )
  },
}

/** Left out when there is no limit (XEP-0478 §3.1). */
function whole(name: string, limit: number): Element | undefined {
  return Number.isFinite(limit) ? el(name, undefined, undefined, String(Math.floor(limit))) : undefined
}

export default defineModule({
  name: 'stream-limits',
  summary: 'Tells clients how large a stanza may be and when they count as silent',
  xeps: [{ number: 478, version: '0.2.0' }],
  options: options({}),

  setup() {
    return { streamFeatures: [limits] }
  },
})
