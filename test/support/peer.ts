/** A server of the scene's own making: it says whatever the scene wants, as the one who connects or who is connected to. */
import { Actor } from './actor.js'
import type { Stage } from './stage.js'
import type { Element } from '../../src/xml/element.js'
import type { StreamHeader } from '../../src/xml/parser.js'

const TLS = 'urn:ietf:params:xml:ns:xmpp-tls'
/** What is offered under TLS when the scene says nothing else. */
const FEATURES = `<stream:features><dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback></stream:features>`

export class Peer extends Actor {
  override readonly content = 'jabber:server'
  /** To whom it opens streams. */
  to: string
  readonly #certificate: readonly string[]

  /** @param certificate domains that the certificate it shows is for */
  constructor(stage: Stage, domain: string, certificate: readonly string[] = []) {
    super(stage, domain, domain)
    this.to = stage.domain
    this.#certificate = certificate
  }

  /** Connects; no stream yet. */
  override dials(): void {
    this.attach(this.stage.network.dial(this.to, this.#certificate))
  }

  /** Connects and opens a stream, up to the features under TLS. */
  override async opens(attributes = this.greeting()): Promise<Element> {
    await super.opens(attributes)
    this.raw(`<starttls xmlns='${TLS}'/>`)
    await this.next('proceed')
    this.startsStream(attributes)
    return this.next('features')
  }

  /** Asks for dialback of this domain (XEP-0220 §2.1.1) with a key of its own invention. */
  asksDialback(from = this.domain, to = this.to, key = 'key'): void {
    this.raw(`<db:result from='${from}' to='${to}'>${key}</db:result>`)
  }

  /** Serves its domain from here on; the next connection is the one that it speaks on. */
  serves(): void {
    this.stage.network.addRaw(this.domain, this.#certificate, (end) => this.attach(end))
  }

  /** Takes a connection, up to the features under TLS, which are sent. */
  async takes(features = FEATURES, id = 'stream-id'): Promise<StreamHeader> {
    await this.hearsHeader()
    this.answers(`id='plain'`)
    this.raw(`<stream:features><starttls xmlns='${TLS}'><required/></starttls></stream:features>`)
    await this.receives(`<starttls xmlns='${TLS}'/>`)
    this.restarts()
    this.raw(`<proceed xmlns='${TLS}'/>`)
    const header = await this.hearsHeader()
    this.answers(`id='${id}'`)
    this.raw(features)
    return header
  }

  /** Takes a connection and believes whoever is there; stanzas follow. */
  async believes(): Promise<void> {
    const { attrs } = await this.takes()
    await this.receives(`<db:result from='${attrs['from']}' to='${attrs['to']}'>{any}</db:result>`)
    this.raw(`<db:result from='${attrs['to']}' to='${attrs['from']}' type='valid'/>`)
  }

  /** Answers a stream header with one of its own. */
  answers(attributes: string): void {
    this.header(`from='${this.domain}' to='${this.to}' version='1.0' ${attributes}`)
  }

  /** Answers the question about a key, whatever it is. */
  async vouches(type: 'valid' | 'invalid' = 'valid'): Promise<void> {
    const { attrs } = await this.receives(
      `<db:verify id='{any}' from='{any}' to='${this.domain}'>{any}</db:verify>`,
    )
    this.raw(`<db:verify from='${attrs['to']}' to='${attrs['from']}' id='${attrs['id']}' type='${type}'/>`)
  }

  protected override greeting(): string {
    return `from='${this.domain}' to='${this.to}' version='1.0'`
  }
}
