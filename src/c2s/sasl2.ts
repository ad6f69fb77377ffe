/** SASL2 (XEP-0388) as a stream feature: authentication, binding and resumption in one step, without a new stream. */
import { bindInline, offerBind } from './bind2.js'
import type { Client } from './client.js'
import { offerTokens, TokenLogin } from './fast.js'
import type { Profile } from './login.js'
import { resumeOn } from './management.js'
import { matchesConfig } from './pipelining.js'
import { offerUpgrades, Upgrades } from './upgrade.js'
import type { Next, StreamFeature } from '../host/module.js'
import type { UserAgent } from '../session/session.js'
import { failure, type SaslCondition, type Success } from '../sasl/mechanism.js'
import { StanzaError } from '../stanza/errors.js'
import { Jid } from '../stanza/jid.js'
import { StorageUnavailable } from '../storage/errors.js'
import { StreamError } from '../stream/errors.js'
import { el, type Element } from '../xml/element.js'
import type { RawElement } from '../xml/parser.js'
import { NS } from '../xml/namespaces.js'
import { serialise } from '../xml/write.js'

/** An `<authenticate/>` whose outcome is open. */
export interface Request {
  readonly element: Element
  readonly upgrades: Upgrades
  readonly tokens: TokenLogin
  /** The account has proved itself, with this; tasks are left. */
  proof: Success | undefined
}

export const authentication2: StreamFeature<Client> = {
  ns: NS.sasl2,
  reads: ['authenticate', 'response', 'abort', 'next', 'task-data'],
  // XEP-0388 §3: never without TLS; §4.8: no second time.
  fits: ({ secure, authenticated }) => secure && !authenticated,
  offer(client) {
    const { offered } = client.login
    // XEP-0388 §2.1: not without a mechanism.
    if (offered.length === 0) return undefined
    return el(
      'authentication',
      NS.sasl2,
      {},
      ...offered.map(({ name }) => el('mechanism', undefined, {}, name)),
      el('inline', undefined, {}, el('sm', NS.streamManagement), offerBind(client), offerTokens(client)),
      ...offerUpgrades(),
    )
  },
  receive(element, client) {
    switch (element.local) {
      case 'authenticate':
        return authenticate(element, client)
      case 'response':
        return respond(element, client)
      case 'abort':
        client.login.abandon()
        return client.login.conclude(failure('aborted'), profile) // XEP-0388 §4.5
      default:
        return goOn(element, client)
    }
  },
}

/**
 * XEP-0388 §2.4: while an authentication is under way nothing else is said.
 * @throws StreamError
 */
export function requireSilence({ request }: Client, { ns }: RawElement): void {
  if (!request || ns === NS.sasl2) return
  // RFC 6120 §4.9.3.12: a stanza before its time has a name of its own.
  if (ns === NS.client) throw new StreamError('not-authorized')
  throw new StreamError('policy-violation', 'An authentication is under way')
}

const profile: Profile = {
  challenge: (data, client) => say(client, el('challenge', NS.sasl2, {}, data.toString('base64'))),
  failure: (condition, client) => fail(client, condition),
  success: (proof, client) => proceed(client, proof),
}

async function authenticate(element: Element, client: Client): Promise<Next> {
  const { login } = client
  if (client.request) throw new StreamError('policy-violation', 'An authentication is under way')
  if (!matchesConfig(element, client)) {
    // XEP-0509 §2.2: without prejudice.
    const mismatch = el('config-version-mismatch', NS.pipelining)
    return fail(client, 'aborted', mismatch, 'The features have changed since')
  }
  const agent = element.child('user-agent', NS.sasl2)
  const tokens = new TokenLogin(element, client)
  if ((agent && !isAgent(agent)) || !tokens.isWellFormed)
    return login.conclude(failure('malformed-request'), profile)
  client.agent = agent && agentOf(agent)
  client.request = { element, tokens, upgrades: new Upgrades(element), proof: undefined }
  const { mechanism: name } = element.attrs
  const mechanism = login.offered.find((one) => one.name === name) ?? tokens.mechanism(name)
  const initial = element.child('initial-response', NS.sasl2)?.text
  const particulars = { from: client.from?.toString(), tokens: () => tokens.tokens() }
  return login.conclude(await login.begin(mechanism, initial, particulars), profile)
}

async function respond({ text }: Element, { login, request }: Client): Promise<Next> {
  // XEP-0388 §2.6.3: tasks have elements of their own.
  const step = request?.proof ? failure('malformed-request') : await login.respond(text)
  return login.conclude(step, profile)
}

/** XEP-0388 §2.6: the exchange was successful; tasks come before the end. */
function proceed(client: Client, proof: Success): Next | Promise<Next> {
  const request = client.request!
  request.upgrades.select(client, proof)
  request.proof = proof
  return taskOrEnd(client, request, proof.data)
}

function taskOrEnd(client: Client, request: Request, data?: Buffer): Next | Promise<Next> {
  const task = request.upgrades.next
  if (task === undefined) return complete(client, request, data)
  say(
    client,
    el(
      'continue',
      NS.sasl2,
      {},
      additional(data),
      el('tasks', undefined, {}, el('task', undefined, {}, task)),
    ),
  )
  return 'stay'
}

/** `<next/>` or `<task-data/>`. */
async function goOn(element: Element, client: Client): Promise<Next> {
  const { request, login } = client
  if (!request?.proof) return login.conclude(failure('malformed-request'), profile)
  const step = await request.upgrades.receive(element, client)
  if (step.outcome === 'done') return taskOrEnd(client, request)
  if (step.outcome === 'failure') return login.conclude(step, profile)
  say(client, el('task-data', NS.sasl2, {}, step.element))
  return 'stay'
}

/** XEP-0388 §2.6.1: what was asked for inline is done now, before the client hears of its success. */
async function complete(client: Client, request: Request, data: Buffer | undefined): Promise<Next> {
  const { local } = request.proof!
  client.local = local
  let started: Started
  try {
    started = await start(client, request)
  } catch (error) {
    client.local = undefined
    return refuse(client, error)
  }
  // Whoever left meanwhile is told nothing; the session may wait to be resumed.
  if (!client.stream.open) {
    started.proceed()
    return 'stay'
  }
  client.request = undefined
  client.authenticated(local)
  const { session } = client
  // XEP-0388 §2.6.1: a full JID where there is a session.
  const identity = session?.jid ?? Jid.of(local, client.host.domain)
  const identifier = el('authorization-identifier', undefined, {}, identity.toString())
  say(client, el('success', NS.sasl2, {}, additional(data), identifier, ...started.answers))
  // XEP-0198 §9.2: a resumed stream goes on at once, and is offered nothing.
  if (!started.isResumed) client.offerFeatures()
  started.proceed()
  return session ? 'ready' : 'stay'
}

/** What a client gets beside its authentication. */
interface Started {
  readonly answers: readonly (Element | undefined)[]
  readonly isResumed: boolean
  /** Lets the session go on, when all this is sent. */
  readonly proceed: () => unknown
}

/** XEP-0386 §3.2, XEP-0198 §9.2: resumption first, binding only when that fails. */
async function start(client: Client, { element, tokens }: Request): Promise<Started> {
  const resume = element.child('resume', NS.streamManagement)
  const answer = resume && (await resumeOn(client, resume))
  if (answer && client.session) {
    // On a stream that broke meanwhile there is nothing to send: the session may be on another by now.
    const proceed = () => client.stream.open && answer.proceed()
    return { answers: [answer.element, await tokens.settle()], isResumed: true, proceed }
  }
  const bind = element.child('bind', NS.bind2)
  const bound = bind && (await bindInline(client, bind))
  const answers = [answer?.element, bound?.answer, await tokens.settle()]
  return { answers, isResumed: false, proceed: () => bound?.session.release() }
}

/** The account has proved itself, and cannot have what it asks for just now: it is not logged in (XEP-0388 §2.6.2). */
function refuse(client: Client, error: unknown): Next {
  const { login } = client
  if (error instanceof StanzaError) {
    login.refused(error.condition)
    fail(client, 'temporary-auth-failure', el(error.condition, NS.stanzaErrors), error.text)
  } else if (error instanceof StorageUnavailable) {
    login.refused('temporary-auth-failure')
    fail(client, 'temporary-auth-failure')
  } else throw error
  login.requirePatience()
  return 'stay'
}

function fail(client: Client, condition: SaslCondition, application?: Element, text?: string): Next {
  client.request = undefined
  const words = text === undefined ? undefined : el('text', undefined, {}, text)
  say(client, el('failure', NS.sasl2, {}, el(condition, NS.sasl), application, words))
  return 'stay'
}

/** XEP-0388 §2.2: data of zero length is an empty element, none is left out. */
function additional(data: Buffer | undefined): Element | undefined {
  return data && el('additional-data', undefined, {}, data.toString('base64'))
}

function say({ stream }: Client, element: Element): void {
  stream.send(serialise(element, NS.client))
}

/** XEP-0388 §8: any UUID, in either case; the version is the client's business. */
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
/** Characters of a name that are kept. */
const longestName = 100

function isAgent({ attrs }: Element): boolean {
  return attrs['id'] === undefined || uuid.test(attrs['id'])
}

function agentOf(element: Element): UserAgent {
  const named = (name: string) => element.child(name, NS.sasl2)?.text.slice(0, longestName) || undefined
  return { id: element.attrs['id']?.toLowerCase(), software: named('software'), device: named('device') }
}
