/** A dialogue about one command (XEP-0050): the steps it takes, and the actions that lead from one to the next. */
import { StanzaError } from './errors.js'
import type { StanzaCondition } from './errors.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

/** What a client sees of a command and may do next. */
export type Step =
  | { readonly status: 'completed'; readonly payload: readonly Element[] }
  | ({ readonly status: 'executing'; readonly payload: readonly Element[] } & Ways)

/** The actions that are allowed, each with what it leads to; at least one of `next` and `complete`. */
export interface Ways {
  readonly prev?: Way
  readonly next?: Way
  readonly complete?: Way
}

/** Takes the form that was filled in, if one was. Throws StanzaError: then the dialogue is where it was. */
export type Way = (form: Element | undefined) => Step | Promise<Step>

/** A command that is offered to somebody. */
export interface Offer {
  readonly node: string
  readonly name: string
  start(): Step | Promise<Step>
}

/** XEP-0050 §4.1, and what "execute" stands for when it is not one of them (§3.4). */
export type Action = 'execute' | 'cancel' | 'prev' | 'next' | 'complete'

/** @throws StanzaError when the action is none, or none that is allowed now */
export function wayOf(step: Ways, action: Action): Way {
  const way = step[action === 'execute' ? usual(step) : (action as keyof Ways)]
  if (!way) throw refusal('bad-request', 'bad-action', `There is no "${action}" at this point.`)
  return way
}

/** @throws StanzaError `malformed-action` */
export function actionOf(command: Element): Action {
  const action = command.attrs['action'] ?? 'execute'
  if (['execute', 'cancel', 'prev', 'next', 'complete'].includes(action)) return action as Action
  throw refusal('bad-request', 'malformed-action', `"${action}" is no action.`)
}

const usual = (step: Ways): 'next' | 'complete' => (step.next ? 'next' : 'complete')

/** The answer: `<command/>` with the actions there are, then the payload. */
export function commandElement(node: string, sessionid: string, step: Step): Element {
  const attrs = { node, sessionid, status: step.status, 'xml:lang': 'en' }
  if (step.status === 'completed') return el('command', NS.adHoc, attrs, ...step.payload)
  const names = (['prev', 'next', 'complete'] as const).filter((name) => step[name])
  const actions = el('actions', undefined, { execute: usual(step) }, ...names.map((name) => el(name)))
  return el('command', NS.adHoc, attrs, actions, ...step.payload)
}

export function note(type: 'info' | 'warn' | 'error', text: string): Element {
  return el('note', NS.adHoc, { type }, text)
}

/** XEP-0050 §4.4: an error with the condition of its own that says more. */
export function refusal(
  condition: StanzaCondition,
  specific: 'bad-action' | 'bad-payload' | 'bad-sessionid' | 'malformed-action' | 'session-expired',
  text: string,
): StanzaError {
  return new StanzaError(condition, text, { application: el(specific, NS.adHoc) })
}

/** Reads what was filled in: what is wrong with it is a payload that cannot be accepted. */
export async function accepting<T>(read: () => T | Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!(error instanceof StanzaError) || error.application) throw error
    const isMisfit = error.condition === 'not-acceptable' || error.condition === 'bad-request'
    throw isMisfit ? refusal('bad-request', 'bad-payload', error.text ?? error.condition) : error
  }
}
