/** A client that logs in by SASL2 (XEP-0388), in one step. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import type { Actor } from './actor.js'
import { ScramClient } from '../unit/sasl/client.js'
import type { Stage } from './stage.js'
import type { Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'

export const PHONE = 'd4565fa7-4d72-4749-b3d3-740edbf87770'
export const LAPTOP = '9c5b94b1-35ad-49bb-b118-8e8fc24abf80'

export const base64 = (data: string | Buffer) => Buffer.from(data).toString('base64')
export const agent = (id: string) =>
  `<user-agent id='${id}'><software>Quill</software><device>Phone</device></user-agent>`
export const bind = (inside = '') => `<bind xmlns='${NS.bind2}'>${inside}</bind>`

/** `data` in base64; inline elements besides. */
export function authenticate(mechanism: string, data: string | undefined, inline = ''): string {
  const initial = data === undefined ? '' : `<initial-response>${data}</initial-response>`
  return `<authenticate xmlns='${NS.sasl2}' mechanism='${mechanism}'>${initial}${inline}</authenticate>`
}

/** Opens a stream of an account that is there. */
export async function opens(actor: Actor, attributes?: string): Promise<Element> {
  await actor.stage.account(actor.local, actor.domain, 'wherefore')
  return actor.opens(attributes)
}

/** Says an `<authenticate/>` on a new stream; gives `<success/>`, behind which the features have come. */
export async function succeeds(actor: Actor, said: string): Promise<Element> {
  await opens(actor)
  actor.raw(said)
  const success = await actor.next('success')
  assert.equal(success.local, 'success', actor.stage.transcript())
  await actor.next('features')
  actor.isConnected = success.child('bound', NS.bind2) !== undefined
  return success
}

/** With the password. */
export function logsIn(actor: Actor, inline = ''): Promise<Element> {
  return succeeds(actor, authenticate('PLAIN', actor.plain(), inline))
}

export function identifier(success: Element): string {
  return success.child('authorization-identifier', NS.sasl2)?.text ?? ''
}

export function fails(actor: Actor, condition: string): Promise<Element> {
  return actor.receives(`<failure xmlns='${NS.sasl2}'><${condition} xmlns='${NS.sasl}'/></failure>`)
}

/** What a client says to log in with a token, without channel binding. */
export function shows(actor: Actor, token: string, inline = '', fast = ''): string {
  const proof = createHmac('sha256', token).update('Initiator').digest()
  const data = Buffer.concat([Buffer.from(`${actor.local}\0`), proof])
  return authenticate('HT-SHA-256-NONE', base64(data), `<fast xmlns='${NS.fast}'${fast}/>${inline}`)
}

/** The token that came with success. */
export function tokenIn(success: Element): string | undefined {
  return success.child('token', NS.fast)?.attrs['token']
}

/** An account that came from elsewhere with keys of SHA-1 alone. */
export async function imported(stage: Stage, local: string): Promise<void> {
  await stage.account(local, stage.domain, 'wherefore')
  const account = await stage.stores.accounts.get(stage.domain, local)
  await stage.stores.accounts.setKeys(account!.id, { 'SHA-1': account!.keys['SHA-1']! })
}

export async function hashesOf(stage: Stage, local: string): Promise<string[]> {
  const account = await stage.stores.accounts.get(stage.domain, local)
  return Object.keys(account!.keys).sort()
}

/** By SCRAM; what comes behind it. */
export async function scram(
  actor: Actor,
  hash: 'SHA-1' | 'SHA-256' | 'SHA-512',
  inline: string,
): Promise<Element> {
  await actor.opens()
  const client = new ScramClient({ user: actor.local, password: 'wherefore', hash })
  actor.raw(authenticate(`SCRAM-${hash}`, base64(client.first()), inline))
  const challenge = await actor.next('challenge')
  const final = client.final(Buffer.from(challenge.text, 'base64'))
  actor.raw(`<response xmlns='${NS.sasl2}'>${base64(final)}</response>`)
  return actor.next('the outcome')
}
