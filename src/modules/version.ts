/** XEP-0092: Software Version. */
import { release, type } from 'node:os'
import { flag, options } from '../base/schema.js'
import { version } from '../base/version.js'
import { iq } from '../host/iq-table.js'
import { defineModule } from '../host/module.js'
import { el } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

export default defineModule({
  name: 'version',
  summary: 'Tells which software and version runs here; switch it off to hide both',
  xeps: [{ number: 92, version: '1.1' }],
  options: options({ tellOs: flag(false, 'Also tell the operating system and its version.') }),

  setup(_host, { tellOs }) {
    const line = (name: string, text: string) => el(name, undefined, undefined, text)
    const answer = () =>
      el(
        'query',
        NS.version,
        undefined,
        line('name', 'Parley'),
        line('version', version),
        // XEP-0092 §7: what is known about the system helps who attacks it.
        tellOs ? line('os', `${type()} ${release()}`) : undefined,
      )
    return { features: [NS.version], iq: [iq('get', 'host', 'query', NS.version, answer)] }
  },
})
