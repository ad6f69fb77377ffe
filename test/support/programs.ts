/** Client programs, as far as others see them: what they advertise in their presence, and what they answer when asked. */
import type { Actor } from './actor.js'
import { capsHash, capsVersion, type DiscoInfo, discoInfoElement } from '../../src/stanza/caps.js'
import { NS } from '../../src/xml/namespaces.js'
import type { Element } from '../../src/xml/element.js'

export class Program {
  readonly info: DiscoInfo

  constructor(...features: string[]) {
    this.info = { identities: [{ category: 'client', type: 'pc', name: 'Quill' }], features, forms: [] }
  }

  get version(): string {
    return capsVersion(this.info)
  }

  /** XEP-0115, for a presence. */
  get c(): string {
    return `<c xmlns='${NS.caps}' hash='sha-1' node='https://quill.example' ver='${this.version}'/>`
  }

  /** XEP-0390. */
  get c2(): string {
    return `<c xmlns='${NS.caps2}'><hash xmlns='${NS.hashes}' algo='sha-256'>${capsHash(this.info, 'sha-256')}</hash></c>`
  }

  /** The answer to a request of its server. */
  answer(request: Element): string {
    const { id, from } = request.attrs
    const { node } = request.child('query', NS.discoInfo)!.attrs
    return `<iq type='result' id='${id}' to='${from}'>${discoInfoElement(this.info, node).toString()}</iq>`
  }

  /** The server asks `actor`, whose next stanza that is, and hears what this program is. */
  async isAsked(actor: Actor, pattern = `<query xmlns='${NS.discoInfo}' node='{any}'/>`): Promise<void> {
    const request = await actor.receives(
      `<iq type='get' id='{any}' from='${actor.bare}' to='${actor.full}'>${pattern}</iq>`,
    )
    actor.sends(this.answer(request))
    await actor.settled()
  }

  /** Goes online with this program, which its server gets to know if it does not. */
  async starts(actor: Actor, known = false): Promise<void> {
    await actor.online(`<presence>${this.c}</presence>`)
    if (!known) await this.isAsked(actor)
  }
}
