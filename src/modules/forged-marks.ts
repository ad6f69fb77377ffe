/** XEP-0203, XEP-0359: marks that say they are this server's, on messages it did not mark, are taken off. */
import { options } from '../base/schema.js'
import { hook } from '../host/hooks.js'
import { defineModule } from '../host/module.js'
import { readJid } from '../stanza/jid.js'
import { withoutIdsBy } from '../stanza/stanza-id.js'
import type { Stanza } from '../stanza/stanza.js'
import type { Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

export default defineModule({
  name: 'forged-marks',
  summary: 'Takes times and numbers that only this server may give off messages of others',
  xeps: [],
  options: options({}),

  setup({ address }) {
    function withoutForgeries(stanza: Stanza): Stanza {
      const { from, to } = stanza
      if (from.equals(address)) return stanza
      const isForged = ({ attrs }: Element) => readJid(attrs['from'] ?? '')?.equals(address) === true
      return withoutIdsBy(stanza.withoutChildren('delay', NS.delay, isForged), address, to!.bare)
    }

    return { hooks: [hook('received', 'stamp', ['message'], withoutForgeries)] }
  },
})
