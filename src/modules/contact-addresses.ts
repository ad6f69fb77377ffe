/** XEP-0157: Contact Addresses for XMPP Services. Whom to write about this server. */
import { list, options, required, text } from '../base/schema.js'
import { defineModule } from '../host/module.js'
import { resultForm } from '../stanza/forms.js'

const uri = text(required, '', {
  pattern: /^[A-Za-z][A-Za-z0-9+.-]*:[\x21-\x7e]+$/,
  expects: 'a URI such as "mailto:abuse@example.org", "xmpp:admin@example.org" or "https://example.org/help"',
})
const addresses = (doc: string) => list(uri, [], doc)

export default defineModule({
  name: 'contact-addresses',
  summary: 'Tells whom to contact about this server',
  xeps: [{ number: 157, version: '1.1.1' }],
  options: options({
    abuse: addresses('Where to report abuse.'),
    admin: addresses('The administrators.'),
    feedback: addresses('Where to send praise and complaints.'),
    sales: addresses('Where to ask for offers.'),
    security: addresses('Where to report security problems.'),
    status: addresses('Where to see whether the service works.'),
    support: addresses('Where to ask for help.'),
  }),

  setup(_host, options) {
    const given = Object.entries(options).filter(([, uris]) => uris.length > 0)
    const fields = given.map(([role, uris]) => [`${role}-addresses`, uris] as const)
    if (fields.length === 0) return {}
    return { info: [resultForm('http://jabber.org/network/serverinfo', Object.fromEntries(fields))] }
  },
})
