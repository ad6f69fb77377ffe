/** An app server (XEP-0357 §3) of a scene: a component that takes notifications, or refuses them. */
import assert from 'node:assert/strict'
import { Component, known } from './component.js'
import type { Stage } from './stage.js'
import type { Element } from '../../src/xml/element.js'

export const PUSHES = 'push.capulet.example'
/** The setting that makes the server know it. */
export const withPushes = known(PUSHES)

const PUBSUB = 'http://jabber.org/protocol/pubsub'
const FORM = 'jabber:x:data'

/** What a notification says. */
export interface Notified {
  readonly id: string
  readonly node: string | undefined
  /** The fields of the summary. */
  readonly summary: Readonly<Record<string, string>>
  /** The publish-options, if there are some. */
  readonly options: Element | undefined
}

export class AppServer extends Component {
  constructor(stage: Stage) {
    super(stage, PUSHES)
  }

  /** Connects and is ready. */
  static async ready(stage: Stage): Promise<AppServer> {
    const server = new AppServer(stage)
    await server.connects()
    return server
  }

  /** The next notification. */
  async hears(): Promise<Notified> {
    const request = await this.receives(
      `<iq type='set' id='{any}' from='${this.stage.domain}' to='${PUSHES}'><pubsub xmlns='${PUBSUB}'>{any}</pubsub></iq>`,
    )
    return read(request)
  }

  /** The next one is taken; gives its summary. */
  async takes(): Promise<Notified['summary']> {
    const { id, summary } = await this.hears()
    this.accepts(id)
    await this.settled()
    await this.stage.settled()
    return summary
  }

  accepts(id: string): void {
    this.sends(`<iq type='result' id='${id}' from='${PUSHES}' to='${this.stage.domain}'/>`)
  }

  /** Answers with an error. */
  async refuses(id: string, condition: string, type = 'cancel'): Promise<void> {
    this.sends(
      `<iq type='error' id='${id}' from='${PUSHES}' to='${this.stage.domain}'><error type='${type}'><${condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>`,
    )
    await this.settled()
    await this.stage.settled()
  }

  /** Nothing has come, and nothing will without something new. */
  async hearsNothing(): Promise<void> {
    await this.stage.settled()
    await this.settled()
    await this.hearsNothingMore()
  }
}

/** What a publish request says, of whatever way it came. */
export function read(request: Element): Notified {
  const pubsub = request.child('pubsub', PUBSUB)!
  const publish = pubsub.child('publish', PUBSUB)!
  const form = publish.child('item')!.child('notification')!.child('x', FORM)!
  const fields = form
    .childrenOf('field', FORM)
    .map((field) => [field.attrs['var'] as string, field.child('value', FORM)?.text ?? ''] as const)
  const { FORM_TYPE: formType, ...summary } = Object.fromEntries(fields)
  assert.equal(formType, 'urn:xmpp:push:summary')
  return {
    id: String(request.attrs['id']),
    node: publish.attrs['node'],
    summary,
    options: pubsub.child('publish-options', PUBSUB)?.child('x', FORM),
  }
}
