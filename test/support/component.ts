/** An external component (XEP-0114) on one end of a duplex pair. */
import { createHash } from 'node:crypto'
import { Actor } from './actor.js'
import { PipeTransport, type PipeOptions } from './pipe.js'
import { SECRETS, type Stage } from './stage.js'

const SECRET = 'the play is the thing'

/** The setting that makes the server know the component. */
export function known(domain: string, secret = SECRET): string {
  return `component."${domain}".secret_file=${SECRETS}${secret}`
}

export class Component extends Actor {
  override readonly content = 'jabber:component:accept'
  pipe: PipeOptions = {}

  constructor(stage: Stage, domain: string) {
    super(stage, 'component', domain)
  }

  override dials(): void {
    const transport = new PipeTransport(this.pipe)
    this.stage.server.acceptComponent(transport)
    this.attach(transport.client)
  }

  /** Opens a stream; gives its id. */
  async greets(attributes = this.greeting()): Promise<string> {
    this.dials()
    this.startsStream(attributes)
    for (;;) {
      const [, id] = /<stream:stream [^>]*\bid='([^']+)'/.exec(this.heard) ?? []
      if (id !== undefined) return id
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** XEP-0114 §3 */
  shows(id: string, secret = SECRET): void {
    this.raw(
      `<handshake>${createHash('sha1')
        .update(id + secret)
        .digest('hex')}</handshake>`,
    )
  }

  override async connects(): Promise<void> {
    this.shows(await this.greets())
    await this.receives('<handshake/>')
  }

  /** Whatever the server was told before, it has handled. */
  override async settled(): Promise<void> {
    await this.asks(
      `<iq type='get' id='fence' from='${this.domain}' to='${this.stage.domain}'><ping xmlns='urn:xmpp:ping'/></iq>`,
    )
  }

  protected override greeting(): string {
    return `to='${this.domain}'`
  }
}
