/** An ad-hoc command as a client carries it out: step after step, with the forms filled in. */
import assert from 'node:assert/strict'
import type { Actor } from './actor.js'
import type { Element } from '../../src/xml/element.js'

export const ADMIN = 'http://jabber.org/protocol/admin'
export const COMMANDS = 'http://jabber.org/protocol/commands'
export const FORMS = 'jabber:x:data'

export type Answers = Readonly<Record<string, string | readonly string[]>>

/** Sends one `<command/>` and gives the reply, whatever it is. */
export function commands(
  actor: Actor,
  to: string,
  node: string,
  { action, sessionid, payload = '' }: { action?: string; sessionid?: string; payload?: string } = {},
): Promise<Element> {
  const more = [action && ` action='${action}'`, sessionid && ` sessionid='${sessionid}'`].join('')
  return actor.sets(`<command xmlns='${COMMANDS}' node='${node}'${more}>${payload}</command>`, to)
}

/** The `<command/>` of a result. */
export function commandOf(reply: Element): Element {
  const command = reply.child('command', COMMANDS)
  assert.equal(reply.attrs['type'], 'result', reply.toString())
  assert.ok(command, reply.toString())
  return command
}

/** Begins a command and answers its forms, one after the other; gives the last `<command/>`. */
export async function carriesOut(
  actor: Actor,
  to: string,
  node: string,
  ...forms: readonly Answers[]
): Promise<Element> {
  let command = commandOf(await commands(actor, to, node))
  for (const answers of forms) {
    assert.equal(command.attrs['status'], 'executing', command.toString())
    const sessionid = command.attrs['sessionid'] as string
    command = commandOf(await commands(actor, to, node, { sessionid, payload: submission(answers) }))
  }
  assert.equal(command.attrs['status'], 'completed', command.toString())
  return command
}

/** A form filled in. */
export function submission(answers: Answers): string {
  const fields = Object.entries(answers).map(([name, given]) => {
    const values = (typeof given === 'string' ? [given] : given).map((value) => `<value>${value}</value>`)
    return `<field var='${name}'>${values.join('')}</field>`
  })
  return `<x xmlns='${FORMS}' type='submit'>${fields.join('')}</x>`
}

/** The notes of a command, with their types. */
export function notesOf(command: Element): string[] {
  return command.childrenOf('note', COMMANDS).map((note) => `${note.attrs['type']}: ${note.text}`)
}

/** The values of a field of the form in a command. */
export function valuesOf(command: Element, name: string): string[] | undefined {
  const field = command
    .child('x', FORMS)
    ?.childrenOf('field', FORMS)
    .find((one) => one.attrs['var'] === name)
  return field?.childrenOf('value', FORMS).map(({ text }) => text)
}

/** The condition of an error, and the one of XEP-0050 §4.4 beside it. */
export function conditionsOf(reply: Element): string {
  assert.equal(reply.attrs['type'], 'error', reply.toString())
  const named = reply.child('error', 'jabber:client')!.childrenOf()
  return named
    .filter(({ local }) => local !== 'text')
    .map(({ local }) => local)
    .join(' ')
}

/** The nodes of the commands that somebody is shown. */
export async function offered(actor: Actor, to: string): Promise<string[]> {
  const reply = await actor.gets(
    `<query xmlns='http://jabber.org/protocol/disco#items' node='${COMMANDS}'/>`,
    to,
  )
  assert.equal(reply.attrs['type'], 'result', reply.toString())
  const query = reply.child('query', 'http://jabber.org/protocol/disco#items')!
  assert.equal(query.attrs['node'], COMMANDS)
  return query.childrenOf('item').map(({ attrs }) => {
    assert.equal(attrs['jid'], to)
    assert.ok(attrs['name'])
    return attrs['node'] as string
  })
}
