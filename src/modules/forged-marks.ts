/** XEP-0203, XEP-0359: marks that say they are this server's, on messages it did not mark, are taken off. */
import { options } from '../base/schema.js'
import { hook } from '../host/hooks.js'
import { defineModule } from '../host/module.js'
import { Jid, JidError } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'
import { NS } from '../xml/namespaces.js'

export default defineModule({
  name: 'forged-marks',
  summary: 'Takes times and numbers that only this server may give off messages of others',
  xeps: [],
  options: options({}),

  setup({ address }) {
    function withoutForgeries(stanza: Stanza): Stanza | undefined {
      const { from, to } = stanza
      if (from.equals(address)) return undefined
      if (!stanza.has('delay', NS.delay) && !stanza.has('stanza-id', NS.stanzaIds)) return undefined
      const says = (name: string | undefined, who: Jid) => readable(name ?? '')?.equals(who) === true
      return stanza
        .withoutChildren('delay', NS.delay, ({ attrs }) => says(attrs['from'], address))
        .withoutChildren('stanza-id', NS.stanzaIds, ({ attrs }) => {
          return says(attrs['by'], address) || says(attrs['by'], to!.bare)
        })
    }

    return { hooks: [hook('received', 'stamp', ['message'], withoutForgeries)] }
  },
})

function readable(address: string): Jid | undefined {
  try {
    return Jid.parse(address)
  } catch (error) {
    if (error instanceof JidError) return undefined
    throw error
  }
}
