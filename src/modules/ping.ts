/** XEP-0199: XMPP Ping. Answers whoever wants to know whether the server is there. */
import { options } from '../base/schema.js'
import { iq } from '../host/iq-table.js'
import { defineModule } from '../host/module.js'
import { NS } from '../xml/namespaces.js'

export default defineModule({
  name: 'ping',
  summary: 'Answers pings to the server',
  xeps: [{ number: 199, version: '2.0.1' }],
  options: options({}),

  setup() {
    // XEP-0199 §4.2: to the domain, or on behalf of the asking account itself. Pings to the accounts of others stay
    // unanswered, since they would tell which accounts there are.
    const pong = () => undefined
    return {
      features: [NS.ping],
      iq: [iq('get', 'host', 'ping', NS.ping, pong), iq('get', 'self', 'ping', NS.ping, pong)],
    }
  },
})
