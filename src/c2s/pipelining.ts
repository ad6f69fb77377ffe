/** Initial authentication pipelining (XEP-0509): a client that knows what is offered need not wait to hear it. */
import { createHash } from 'node:crypto'
import type { Client } from './client.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { serialise } from '../xml/write.js'

/** XEP-0509 §2.3.1: a hash of the features as they are written, so another one as soon as anything else is offered. */
export function configVersion(features: Element): string {
  return createHash('sha256').update(serialise(features, NS.client)).digest('base64').slice(0, 24)
}

/** What tells the version (XEP-0509 §2.1). */
export function configFeature(version: string): Element {
  return el('config-version', NS.pipelining, { scheme: 'opaque', value: version })
}

/** Whether an `<authenticate/>` is based on what is offered now, or does not say (XEP-0509 §2.2). */
export function matchesConfig(authenticate: Element, { configVersion }: Client): boolean {
  const based = authenticate.child('config-version', NS.pipelining)
  return !based || based.attrs['value'] === configVersion
}
