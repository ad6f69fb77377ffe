/** Forms of pubsub: whatever is submitted is taken or refused, and what was taken is what is shown. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { test } from 'node:test'
import { Dice } from '../support/dice.js'
import {
  configurationForm,
  configured,
  expiryOf,
  itemsKept,
  pepDefaults,
  Preconditions,
  readConfiguration,
  type Bounds,
  type Configuration,
} from '../../src/modules/pubsub/configuration.js'
import { partOf } from '../../src/modules/pubsub/retrieving.js'
import { StanzaError } from '../../src/stanza/errors.js'
import { el, type Element } from '../../src/xml/element.js'
import { NS } from '../../src/xml/namespaces.js'
import { parseElement } from '../../src/xml/parser.js'

const seed = Number(process.env['SCENE_SEED'] ?? randomInt(1_000_000))
const bounds: Bounds = {
  access: ['authorize', 'open', 'presence', 'roster', 'whitelist'],
  items: 256,
  payload: 65_536,
}
const defaults: Configuration = { ...pepDefaults, maxPayload: 65_536 }

const names = [
  'access_model', 'roster_groups_allowed', 'publish_model', 'persist_items', 'max_items', 'publish_node_full',
  'item_expire', 'max_payload_size', 'subscribe', 'deliver_notifications', 'deliver_payloads', 'notify_config',
  'notify_delete', 'notify_retract', 'notify_sub', 'send_last_published_item', 'notification_type', 'title',
  'description', 'language', 'type', 'contact', 'node_type',
] // prettier-ignore
const values = [
  '', '0', '1', 'true', 'false', 'max', '-1', '256', '257', '1e3', '999999999999999999999', 'open', 'presence',
  'roster', 'whitelist', 'authorize', 'secret', 'publishers', 'subscribers', 'never', 'on_sub', 'on_sub_and_presence',
  'retract-oldest', 'discard-oldest', 'reject', 'headline', 'normal', 'leaf', 'collection', '__proto__', 'constructor',
  'a@b.example', 'a@b.example/c', '@', ' ', '\u{1f339}', '<&">', 'x'.repeat(1024), 'Friends',
] // prettier-ignore

const textField = (name: string, given: readonly string[]) =>
  el('field', undefined, { var: name }, ...given.map((value) => el('value', undefined, undefined, value)))

function randomForm(dice: Dice, type: string): Element {
  const fields = Array.from({ length: dice.below(6) }, () => {
    const odd = dice.below(20) === 0
    const name = odd
      ? dice.of(['toString', '__proto__', 'pubsub#', 'FORM_TYPE', 'pubsub#digest'])
      : `pubsub#${dice.of(names)}`
    return textField(
      name,
      Array.from({ length: dice.of([0, 1, 1, 1, 1, 2, 60]) }, () => dice.of(values)),
    )
  })
  const form = el('x', NS.dataForms, { type: dice.below(30) === 0 ? 'form' : 'submit' }, ...fields)
  if (dice.below(4) > 0) form.cnode(textField('FORM_TYPE', [`${NS.pubsub}#${type}`]))
  // As it comes from a stream.
  return parseElement(form.toString())
}

/** What fits the form, or undefined when it is refused as a stanza may be. */
function taken<T>(run: () => T): T | undefined {
  try {
    return run()
  } catch (error) {
    assert.ok(error instanceof StanzaError, String(error))
    assert.ok(['bad-request', 'not-acceptable', 'conflict'].includes(error.condition), error.condition)
    return undefined
  }
}

/** As many as there may be, and lists in whichever order, are the same. */
function sameWords(config: Configuration): Configuration {
  const maxItems = config.maxItems === 'max' ? bounds.items : config.maxItems
  return { ...config, maxItems, groups: config.groups.toSorted(), contact: config.contact.toSorted() }
}

/** The form that a service shows, filled in as it is. */
function submittedBack(config: Configuration): Element {
  const form = configurationForm(config, bounds)
  form.attrs['type'] = 'submit'
  return parseElement(form.toString())
}

test(`node configuration: what is taken is within bounds, and shown as it is (seed ${seed})`, () => {
  const dice = new Dice(seed)
  let config = defaults
  let count = 0
  for (let round = 0; round < 5_000; round++) {
    const next = taken(() => configured(config, randomForm(dice, 'node_config'), bounds))
    if (!next) continue
    count++
    config = dice.below(50) === 0 ? defaults : next
    assert.deepEqual(Object.keys(config).sort(), Object.keys(defaults).sort())
    assert.ok(itemsKept(config, bounds) <= bounds.items && itemsKept(config, bounds) >= 0)
    assert.ok((expiryOf(config) ?? 1) > 0)
    assert.ok(config.maxPayload >= 0 && config.maxPayload <= bounds.payload)
    assert.ok(bounds.access.includes(config.access))
    assert.deepEqual(configured(defaults, submittedBack(config), bounds), config)
    // As a store gives it back.
    const kept = JSON.parse(JSON.stringify(config)) as Record<string, unknown>
    assert.deepEqual(readConfiguration(kept, defaults), config)
  }
  assert.ok(count > 100, `${count} were taken`)
})

test(`publish-options: a node that is made with them has them (seed ${seed})`, () => {
  const dice = new Dice(seed)
  let count = 0
  for (let round = 0; round < 5_000; round++) {
    const conditions = taken(() => new Preconditions(randomForm(dice, 'publish-options')))
    const config = conditions && taken(() => conditions.over(defaults, bounds))
    if (!config) continue
    count++
    conditions.check(config, bounds)
    // And one that is otherwise has not, unless nothing was asked for that is otherwise.
    const other = taken(() => configured(config, randomForm(dice, 'node_config'), bounds)) ?? config
    const fits = taken(() => (conditions.check(other, bounds), true)) ?? false
    if (fits) assert.deepEqual(sameWords(conditions.over(other, bounds)), sameWords(other))
  }
  assert.ok(count > 100, `${count} were taken`)
})

test(`pages of items: all of them, once, in order, whichever way one goes (seed ${seed})`, () => {
  const dice = new Dice(seed)
  for (let round = 0; round < 500; round++) {
    const ids = Array.from({ length: dice.below(20) }, (_, number) => `i${number}`)
    const max = 1 + dice.below(7)
    const nothing = { max, after: undefined, before: undefined, index: undefined }
    const slice = ({ from, count }: { from: number; count: number }) => ids.slice(from, from + count)
    const forwards: string[] = []
    for (let page = slice(partOf(ids, nothing)); page.length > 0;) {
      forwards.push(...page)
      page = slice(partOf(ids, { ...nothing, after: page.at(-1) }))
    }
    assert.deepEqual(forwards, ids)
    const backwards: string[] = []
    for (let page = slice(partOf(ids, { ...nothing, before: '' })); page.length > 0;) {
      backwards.unshift(...page)
      page = slice(partOf(ids, { ...nothing, before: page[0] }))
    }
    assert.deepEqual(backwards, ids)
    const indexed: string[] = []
    while (indexed.length < ids.length)
      indexed.push(...slice(partOf(ids, { ...nothing, index: indexed.length })))
    assert.deepEqual(indexed, ids)
    assert.deepEqual(slice(partOf(ids, { ...nothing, max: 0 })), [])
    assert.throws(() => partOf(ids, { ...nothing, after: 'none' }), StanzaError)
    assert.throws(() => partOf(ids, { ...nothing, index: ids.length + 1 }), StanzaError)
    if (ids.length > 2) {
      const [first, last] = [dice.below(ids.length), dice.below(ids.length)]
      const between = { max: undefined, after: ids[first], before: ids[last], index: undefined }
      assert.deepEqual(slice(partOf(ids, between)), ids.slice(first + 1, Math.max(first + 1, last)))
    }
  }
})
