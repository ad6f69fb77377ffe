/** `parley init`: asks for what a server needs to know and writes a small configuration, never over an existing one. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { asAddress, asDomain, asJid } from '../base/units.js'
import { Misfit } from '../base/schema.js'
import type { Terminal } from '../base/terminal.js'
import { UsageError } from './arguments.js'

export interface InitAnswers {
  readonly domain?: string | undefined
  /** The name clients connect to, when it is not the domain. */
  readonly host?: string | undefined
  /** The data directory. */
  readonly data?: string | undefined
  /** `postgres://...`; none: the embedded database. */
  readonly database?: string | undefined
  /** PEM files. */
  readonly certificate?: string | undefined
  readonly key?: string | undefined
  /** Who the next step is shown for. */
  readonly user?: string | undefined
  /** Where to listen for clients, `ADDRESS:PORT`. */
  readonly listen?: string | undefined
}

/** Writes `file` and says what comes next; gives the exit code. Asks for what is missing when somebody is there to answer. */
export async function init(
  file: string,
  given: InitAnswers,
  terminal: Terminal,
  parley: string,
): Promise<number> {
  const domain = await answer(
    terminal,
    given.domain,
    'Domain of your addresses (you@___)',
    'localhost',
    asDomain,
  )
  const host = await answer(terminal, given.host, 'Host that will run the server', domain, asDomain)
  const data = await answer(terminal, given.data, 'Folder for its data', './data', plainText)
  const user = await answer(terminal, given.user, 'Your user name', 'admin', (text) => userName(text, domain))
  if ((given.certificate === undefined) !== (given.key === undefined))
    throw new UsageError('--certificate and --key go together')
  if (given.listen !== undefined) checked('--listen', given.listen, asAddress)

  const path = resolve(file)
  try {
    mkdirSync(dirname(path), { recursive: true })
    // A database URL may hold a password: nobody else reads the file.
    writeFileSync(path, configText({ ...given, domain, data }), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EEXIST')
      terminal.error(
        `${file} exists already; nothing was changed\n   edit it, or name another file: --config FILE`,
      )
    else terminal.error(`cannot write ${file}: ${(error as Error).message}`)
    return 1
  }
  terminal.out(
    nextSteps({ file, domain, host, user, parley, ownCertificate: given.certificate !== undefined }),
  )
  return 0
}

function configText({
  domain,
  data,
  database,
  certificate,
  key,
  listen,
}: InitAnswers & { domain: string; data: string }): string {
  const lines = [
    '# Parley. Every other setting has a good default: `parley config example` explains them all.',
    `domain = ${JSON.stringify(domain)}`,
    `data_dir = ${JSON.stringify(data)}`,
  ]
  if (listen !== undefined) lines.push('', '[listen]', `c2s = ${JSON.stringify(listen)}`)
  if (certificate !== undefined)
    lines.push('', '[tls]', `certificate = ${JSON.stringify(certificate)}`, `key = ${JSON.stringify(key)}`)
  if (database !== undefined) lines.push('', '[database]', `url = ${JSON.stringify(database)}`)
  return `${lines.join('\n')}\n`
}

function nextSteps(facts: {
  file: string
  domain: string
  host: string
  user: string
  parley: string
  ownCertificate: boolean
}): string {
  const { file, domain, host, user, parley, ownCertificate } = facts
  const option = file === 'parley.toml' ? '' : ` --config ${file}`
  const local = domain === 'localhost' || domain.endsWith('.localhost')
  const steps = [`Wrote ${file}. Next:`, '']
  if (!local) {
    const target = host === domain ? '' : ` --target ${host}`
    steps.push(
      `  DNS records (all of them: ${parley} dns${target}${option}; then: ${parley} dns check${target}${option})`,
    )
    steps.push(`    A or AAAA  ${host}  the address of this machine`)
    if (host !== domain)
      steps.push(
        `    SRV        _xmpp-client._tcp.${domain}  5 5 5222 ${host}`,
        `    SRV        _xmpp-server._tcp.${domain}  5 5 5269 ${host}`,
      )
    steps.push('  Open TCP 5222, 5223, 5269 and 5270')
    if (!ownCertificate)
      steps.push(`  A certificate for ${domain}: set tls.certificate and tls.key; until then apps will warn`)
  }
  steps.push(
    `  Start:        ${parley} start${option}`,
    `  Your account: ${parley} user add ${user}@${domain}${option}`,
  )
  return steps.join('\n')
}

/** What was given, else what somebody answers, else `fallback`. */
async function answer(
  terminal: Terminal,
  given: string | undefined,
  question: string,
  fallback: string,
  check: (text: string) => string,
): Promise<string> {
  if (given !== undefined) return checked(question, given, check)
  if (!terminal.interactive) return fallback
  for (;;) {
    const typed = await terminal.ask(`${question} [${fallback}]: `)
    if (typed === undefined) throw new UsageError('stopped: nothing was written')
    try {
      return typed.trim() === '' ? fallback : check(typed.trim())
    } catch (fault) {
      if (!(fault instanceof Misfit)) throw fault
      terminal.error(
        `  ${JSON.stringify(typed.trim())} ${fault.message}${fault.hint ? `: ${fault.hint}` : ''}`,
      )
    }
  }
}

function checked<T>(what: string, text: string, check: (text: string) => T): T {
  try {
    return check(text)
  } catch (fault) {
    if (fault instanceof Misfit)
      throw new UsageError(`${what}: ${JSON.stringify(text)} ${fault.message}`, fault.hint)
    throw fault
  }
}

function plainText(text: string): string {
  if (text === '') throw new Misfit('is empty')
  return text
}

function userName(text: string, domain: string): string {
  const jid = asJid(text.includes('@') ? text : `${text}@${domain}`)
  return jid.slice(0, jid.indexOf('@'))
}
