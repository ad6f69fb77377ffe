/** Node configuration (XEP-0060 §8.2, §16.4.4): what may be configured, its form, and publish-options (§7.1.5). */
import type { AccessModel, SendLast } from './api.js'
import { refusal } from './refusals.js'
import { form, formValues, isTrue, resultForm, Submission, type Field } from '../../stanza/forms.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export type PublishModel = 'open' | 'publishers' | 'subscribers'
export type WhenFull = 'discard-oldest' | 'reject' | 'retract-oldest'

export interface Configuration {
  readonly title: string
  readonly description: string
  readonly language: string
  /** Namespace of the payload, for who looks at the node; '' when open. */
  readonly type: string
  /** Bare or full addresses. */
  readonly contact: readonly string[]
  readonly access: AccessModel
  /** For the access model `roster`. */
  readonly groups: readonly string[]
  readonly publish: PublishModel
  readonly persist: boolean
  readonly maxItems: number | 'max'
  readonly whenFull: WhenFull
  /** Seconds; `max`: they stay. */
  readonly expire: number | 'max'
  /** Bytes of a payload. */
  readonly maxPayload: number
  readonly subscribe: boolean
  readonly notify: boolean
  readonly payloads: boolean
  readonly notifyConfig: boolean
  readonly notifyDelete: boolean
  readonly notifyRetract: boolean
  readonly notifySub: boolean
  readonly sendLast: SendLast
  readonly messages: 'headline' | 'normal'
}

/** What of a configuration depends on the service. */
export interface Bounds {
  readonly access: readonly AccessModel[]
  /** Items that a node may keep; `max` means this many. */
  readonly items: number
  /** Bytes that a payload may have. */
  readonly payload: number
}

/** XEP-0060 §16.4.4: seconds that fit the form; beyond them items stay for good. */
const longest = 10 * 365 * 24 * 3600
/** Characters of one text of the configuration, and texts of a list. */
const longestText = 1_023
const longestList = 50

type Key = keyof Configuration
type Kind = 'addresses' | 'choice' | 'flag' | 'groups' | 'number' | 'numberOrMax' | 'text'

interface Part {
  readonly key: Key
  /** Without `pubsub#`. */
  readonly name: string
  readonly kind: Kind
  readonly label: string
  readonly choices?: readonly string[]
}

const part = (key: Key, name: string, kind: Kind, label: string, choices?: readonly string[]): Part =>
  choices ? { key, name, kind, label, choices } : { key, name, kind, label }

const parts: readonly Part[] = [
  part('title', 'title', 'text', 'Title'),
  part('description', 'description', 'text', 'What it is about'),
  part('language', 'language', 'text', 'Language'),
  part('type', 'type', 'text', 'Namespace of what is published'),
  part('contact', 'contact', 'addresses', 'Addresses for questions'),
  part('access', 'access_model', 'choice', 'Who reads'),
  part('groups', 'roster_groups_allowed', 'groups', 'Groups of contacts who read'),
  part('publish', 'publish_model', 'choice', 'Who publishes', ['publishers', 'subscribers', 'open']),
  part('persist', 'persist_items', 'flag', 'Keep items'),
  part('maxItems', 'max_items', 'numberOrMax', 'Items to keep ("max": as many as possible)'),
  part('whenFull', 'publish_node_full', 'choice', 'When there is no room for another item', [
    'retract-oldest',
    'discard-oldest',
    'reject',
  ]),
  part('expire', 'item_expire', 'numberOrMax', 'Seconds to keep an item ("max": no end)'),
  part('maxPayload', 'max_payload_size', 'number', 'Largest payload, in bytes'),
  part('subscribe', 'subscribe', 'flag', 'People can subscribe'),
  part('notify', 'deliver_notifications', 'flag', 'Tell subscribers of new items'),
  part('payloads', 'deliver_payloads', 'flag', 'Send the items themselves along'),
  part('notifyConfig', 'notify_config', 'flag', 'Tell subscribers of changed settings'),
  part('notifyDelete', 'notify_delete', 'flag', 'Tell subscribers of the end of the node'),
  part('notifyRetract', 'notify_retract', 'flag', 'Tell subscribers of retracted items'),
  part('notifySub', 'notify_sub', 'flag', 'Tell owners who comes and goes'),
  part('sendLast', 'send_last_published_item', 'choice', 'Who gets the latest item unasked', [
    'never',
    'on_sub',
    'on_sub_and_presence',
  ]),
  part('messages', 'notification_type', 'choice', 'Kind of message', ['headline', 'normal']),
]

export const FORM_CONFIG = `${NS.pubsub}#node_config`
export const FORM_OPTIONS = `${NS.pubsub}#publish-options`
export const FORM_META = `${NS.pubsub}#meta-data`

/** XEP-0163 §5: every account's nodes, unless they say otherwise. */
export const pepDefaults: Configuration = {
  title: '',
  description: '',
  language: '',
  type: '',
  contact: [],
  access: 'presence',
  groups: [],
  publish: 'publishers',
  persist: true,
  maxItems: 1,
  whenFull: 'retract-oldest',
  expire: 'max',
  maxPayload: 0,
  subscribe: true,
  notify: true,
  payloads: true,
  notifyConfig: false,
  notifyDelete: false,
  notifyRetract: false,
  notifySub: false,
  sendLast: 'on_sub_and_presence',
  messages: 'headline',
}

/** XEP-0060 §4.5: those of a service at a domain of its own, where nobody has presence. */
export const serviceDefaults: Configuration = {
  ...pepDefaults,
  access: 'open',
  maxItems: 10,
  sendLast: 'on_sub',
}

/** What a store kept, with the defaults for what was not there when it did. */
export function readConfiguration(
  kept: Readonly<Record<string, unknown>>,
  defaults: Configuration,
): Configuration {
  return { ...defaults, ...kept }
}

/** How many items it keeps at most. */
export function itemsKept({ persist, maxItems }: Configuration, { items }: Bounds): number {
  if (!persist) return 0
  return maxItems === 'max' ? items : Math.min(maxItems, items)
}

/** Seconds after which an item is gone, for the store. */
export function expiryOf({ expire }: Configuration): number | undefined {
  return expire === 'max' ? undefined : expire
}

/** The form to configure a node with, filled with what it is or would be. */
export function configurationForm(config: Configuration, bounds: Bounds): Element {
  return form(FORM_CONFIG, [nodeType, ...parts.map((one) => fieldOf(one, bounds, config))])
}

/** As the owner sees that it has changed (XEP-0060 §8.2.5.3). */
export function configurationResult(config: Configuration): Element {
  return resultForm(FORM_CONFIG, valuesOf(config, parts))
}

/** XEP-0060 §5.4: what may be told of a node to who looks at it. */
export function metaDataOf(config: Configuration): Record<string, string | readonly string[]> {
  const shown: readonly Key[] = [
    'type',
    'title',
    'description',
    'language',
    'contact',
    'access',
    'publish',
    'maxItems',
  ]
  const values = valuesOf(
    config,
    parts.filter(({ key }) => shown.includes(key)),
  )
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value.length > 0))
}

/**
 * A submitted form over `before`; what is left out stays.
 * @throws StanzaError `bad-request`, `not-acceptable`
 */
export function configured(before: Configuration, x: Element, bounds: Bounds): Configuration {
  const submission = new Submission(
    x,
    FORM_CONFIG,
    [nodeType, ...parts.map((one) => fieldOf(one, bounds))].map(withoutChoices),
  )
  const changes = parts.flatMap((one) => {
    const given = submission.texts(`pubsub#${one.name}`)
    return given ? [[one.key, valueOf(one, given, bounds)] as const] : []
  })
  const type = submission.text(nodeType.name) ?? 'leaf'
  // XEP-0248: collections.
  if (type !== 'leaf' && type !== '') throw new StanzaError('not-acceptable', 'There are only leaf nodes.')
  return { ...before, ...(Object.fromEntries(changes) as Partial<Configuration>) }
}

/** Choices are judged below, where what is wrong is told in pubsub's own words. */
function withoutChoices(field: Field): Field {
  return field.type.startsWith('list') ? { ...field, open: true } : field
}

/** XEP-0060 §7.1.5: publish-options, each a precondition. */
export class Preconditions {
  readonly #given: ReadonlyMap<string, readonly string[]>

  /** @throws StanzaError `bad-request` when the form is none of publish-options */
  constructor(x: Element) {
    const { unknown } = new Submission(x, FORM_OPTIONS, [])
    const given = formValues(x)
    const asked = unknown.map((name) => [name, given.get(name) ?? []] as const)
    this.#given = new Map(asked.filter(([name, values]) => !holdsAnyway(name, values)))
  }

  /**
   * What they make of a node that is still to be created.
   * @throws StanzaError `conflict` for a field that is not known, `not-acceptable` for a value
   */
  over(defaults: Configuration, bounds: Bounds): Configuration {
    const changes = [...this.#given].map(([name, values]) => {
      const found = partNamed(name)
      return [found.key, valueOf(found, values, bounds)] as const
    })
    return { ...defaults, ...(Object.fromEntries(changes) as Partial<Configuration>) }
  }

  /** @throws StanzaError `conflict` unless the node has all of it */
  check(config: Configuration, bounds: Bounds): void {
    for (const [name, values] of this.#given) {
      const found = partNamed(name)
      if (!isSame(found, config[found.key], values, bounds)) throw unmet(name)
    }
  }
}

/** What cannot be configured, and is so at every node. */
const always: ReadonlyMap<string, readonly string[]> = new Map([
  ['pubsub#node_type', ['leaf']],
  ['pubsub#purge_offline', ['0', 'false']],
  ['pubsub#presence_based_delivery', ['0', 'false']],
  ['pubsub#tempsub', ['0', 'false']],
])

function holdsAnyway(name: string, values: readonly string[]): boolean {
  return values.length === 1 && always.get(name)?.includes(values[0]!) === true
}

function partNamed(name: string): Part {
  const found = parts.find((one) => `pubsub#${one.name}` === name)
  if (!found) throw unmet(name)
  return found
}

function unmet(name: string): StanzaError {
  return refusal('conflict', 'precondition-not-met', { text: `The precondition ${name} is not met.` })
}

function isSame(one: Part, has: Configuration[Key], values: readonly string[], bounds: Bounds): boolean {
  switch (one.kind) {
    case 'flag':
      return isTrue(values[0] ?? '') === has
    case 'numberOrMax':
      // As many as the server allows, however it is said.
      return values[0] === String(has) || (one.key === 'maxItems' && sameCount(values[0], has, bounds))
    case 'addresses':
    case 'groups': {
      const wanted = new Set(values)
      return Array.isArray(has) && has.length === wanted.size && has.every((value) => wanted.has(value))
    }
    case 'choice':
    case 'number':
    case 'text':
      return (values[0] ?? '') === String(has)
  }
}

function sameCount(wanted: string | undefined, has: Configuration[Key], { items }: Bounds): boolean {
  const count = (value: unknown) => (value === 'max' ? items : Number(value))
  return count(wanted) === count(has)
}

/** @throws StanzaError `not-acceptable` */
function valueOf(one: Part, values: readonly string[], bounds: Bounds): Configuration[Key] {
  const [first = ''] = values
  switch (one.kind) {
    case 'flag':
      return isTrue(first)
    case 'choice':
      if (one.key === 'access' && !bounds.access.some((model) => model === first))
        throw refusal('not-acceptable', 'unsupported-access-model')
      if (!choicesOf(one, bounds).includes(first)) throw misfit(one, 'has a value that is no choice')
      return first as Configuration[Key]
    case 'addresses':
    case 'groups':
      if (values.length > longestList) throw misfit(one, 'has too many values')
      if (values.some((value) => value.length > longestText)) throw misfit(one, 'is too long')
      return [...new Set(values)]
    case 'text':
      if (values.length > 1) throw misfit(one, 'has more than one value')
      if (first.length > longestText) throw misfit(one, 'is too long')
      return first
    case 'number':
    case 'numberOrMax':
      return numberOf(one, first, bounds)
  }
}

function numberOf(one: Part, text: string, bounds: Bounds): number | 'max' {
  if (one.kind === 'numberOrMax' && text === 'max') return 'max'
  if (!/^\d{1,15}$/.test(text)) throw misfit(one, 'is no whole number')
  const value = Number(text)
  const [least, most] =
    one.key === 'maxItems' ? [1, bounds.items] : one.key === 'expire' ? [1, longest] : [0, bounds.payload]
  if (value < least || value > most) throw misfit(one, `is not from ${least} to ${most}`)
  return value
}

function misfit({ name }: Part, what: string): StanzaError {
  return new StanzaError('not-acceptable', `The field pubsub#${name} ${what}.`)
}

function choicesOf({ key, choices }: Part, { access }: Bounds): readonly string[] {
  return key === 'access' ? access : (choices ?? [])
}

const nodeType: Field = {
  name: 'pubsub#node_type',
  type: 'list-single',
  label: 'Kind of node',
  options: ['leaf'],
  value: 'leaf',
}

function fieldOf(one: Part, bounds: Bounds, config?: Configuration): Field {
  const types = {
    flag: 'boolean',
    choice: 'list-single',
    groups: 'list-multi',
    addresses: 'jid-multi',
    text: 'text-single',
    number: 'text-single',
    numberOrMax: 'text-single',
  } as const
  const value = config?.[one.key]
  return {
    name: `pubsub#${one.name}`,
    type: types[one.kind],
    label: one.label,
    value: value === '' ? undefined : value,
    ...(one.kind === 'choice' ? { options: choicesOf(one, bounds) } : {}),
    ...(one.kind === 'groups' ? { open: true } : {}),
  }
}

function valuesOf(config: Configuration, which: readonly Part[]): Record<string, string | readonly string[]> {
  const text = (value: string | number | boolean) =>
    typeof value === 'boolean' ? (value ? '1' : '0') : String(value)
  return Object.fromEntries(
    which.map(({ key, name }) => {
      const value = config[key]
      return [`pubsub#${name}`, typeof value === 'object' ? value : text(value)]
    }),
  )
}
