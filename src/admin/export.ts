/** XEP-0227: accounts written down, for another server or for a drawer; read from the stores piece by piece. */
import { time } from './print.js'
import type { Portable } from '../host/module.js'
import type { Account, ScramKeys } from '../storage/accounts.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { escapeAttribute, serialise } from '../xml/write.js'

/** A domain, its accounts, and what its modules keep of them. */
export interface Exported {
  readonly domain: string
  readonly portable: readonly Portable[]
  accounts(): AsyncIterable<Account>
}

export interface ExportCount {
  accounts: number
  elements: number
}

/** The file, in pieces. Rejects with StorageUnavailable. */
export async function* exportFile(domains: readonly Exported[], count: ExportCount): AsyncIterable<string> {
  yield `<?xml version='1.0' encoding='UTF-8'?>\n<server-data xmlns='${NS.portable}'>\n`
  for (const exported of domains) {
    const { domain, portable } = exported
    yield `<host jid='${escapeAttribute(domain)}'>\n`
    for await (const account of exported.accounts()) {
      count.accounts++
      yield `<user name='${escapeAttribute(account.local)}'>\n`
      yield* ownElements(account).map((element) => `${serialise(element, NS.portable)}\n`)
      for (const part of portable) yield* written(part, account, count)
      yield '</user>\n'
    }
    yield '</host>\n'
  }
  yield '</server-data>\n'
}

/** §4.3 and, in a namespace of ours, what else the server itself keeps. */
function ownElements({ keys, createdAt, disabled }: Account): Element[] {
  const credentials = Object.entries(keys).map(([hash, key]) => credentialsElement(`SCRAM-${hash}`, key))
  const facts = el('account', NS.ownPortable, {
    created: time(createdAt),
    disabled: disabled && time(disabled.at),
    reason: disabled?.reason || undefined,
  })
  return [...credentials, facts]
}

function credentialsElement(mechanism: string, key: ScramKeys): Element {
  const text = (name: string, value: string) => el(name, undefined, undefined, value)
  return el(
    'scram-credentials',
    NS.portableScram,
    { mechanism },
    text('iter-count', String(key.iterations)),
    text('salt', key.salt.toString('base64')),
    text('server-key', key.serverKey.toString('base64')),
    text('stored-key', key.storedKey.toString('base64')),
  )
}

async function* written(part: Portable, account: Account, count: ExportCount): AsyncIterable<string> {
  if (part.depth === 0) {
    for await (const element of part.export(account)) {
      count.elements++
      yield `${serialise(element, NS.portable)}\n`
    }
    return
  }
  const open =
    part.ns === NS.portable ? `<${part.name}>\n` : `<${part.name} xmlns='${escapeAttribute(part.ns)}'>\n`
  let isOpen = false
  /** Of the parent that is open, at depth 2. */
  let parent: string | undefined
  for await (const element of part.export(account)) {
    if (!isOpen) yield open
    isOpen = true
    if (part.depth === 1) {
      count.elements++
      yield `${serialise(element, part.ns)}\n`
      continue
    }
    const start = startTag(element, part.ns)
    if (start !== parent) {
      if (parent !== undefined) yield `</${nameIn(parent)}>\n`
      yield `${start}\n`
      parent = start
    }
    for (const child of element.childrenOf()) {
      count.elements++
      yield `${serialise(child, element.ns ?? '')}\n`
    }
  }
  if (parent !== undefined) yield `</${nameIn(parent)}>\n`
  if (isOpen) yield `</${part.name}>\n`
}

/** Of an element without prefixes. */
function startTag(element: Element, around: string): string {
  const attrs = Object.entries(element.attrs as Readonly<Record<string, string>>)
    .filter(([name]) => name !== 'xmlns')
    .map(([name, value]) => ` ${name}='${escapeAttribute(value)}'`)
  const ns = element.ns ?? ''
  return `<${element.local}${ns === around ? '' : ` xmlns='${escapeAttribute(ns)}'`}${attrs.join('')}>`
}

const nameIn = (start: string) => /^<([^\s>]+)/.exec(start)?.[1] ?? ''
