import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StanzaError, type StanzaCondition } from '../../../src/stanza/errors.js'
import {
  form,
  formTypeOf,
  formValues,
  resultForm,
  Submission,
  type Field,
} from '../../../src/stanza/forms.js'
import { Jid } from '../../../src/stanza/jid.js'
import { el, type Element } from '../../../src/xml/element.js'
import { NS } from '../../../src/xml/namespaces.js'

const fields: Field[] = [
  { name: 'botname', type: 'text-single', label: 'The name of your bot', required: true },
  { name: 'description', type: 'text-multi', description: 'Several lines' },
  { name: 'public', type: 'boolean', value: true },
  { name: 'maxsubs', type: 'list-single', value: '20', options: ['10', ['20', 'Twenty'], '30'] },
  { name: 'features', type: 'list-multi', options: ['news', 'search'] },
  { name: 'language', type: 'list-single', options: ['en'], open: true },
  { name: 'owner', type: 'jid-single' },
  { name: 'invitelist', type: 'jid-multi', value: [Jid.parse('juliet@example.com')] },
]

function submit(values: Record<string, string | string[]>, type = 'submit'): Element {
  return el(
    'x',
    NS.dataForms,
    { type },
    ...Object.entries(values).map(([name, value]) =>
      el(
        'field',
        undefined,
        { var: name },
        ...[value].flat().map((one) => el('value', undefined, undefined, one)),
      ),
    ),
  )
}

const read = (values: Record<string, string | string[]>) =>
  new Submission(submit({ botname: 'x', ...values }), 'jabber:bot', fields)

test('XEP-0004 §3: a form says type, texts, fields, defaults and choices', () => {
  assert.equal(
    form('jabber:bot', fields.slice(0, 4), { title: 'Bot', instructions: 'Fill <in>!' }).toString(),
    `<x xmlns="${NS.dataForms}" type="form"><title>Bot</title><instructions>Fill &lt;in&gt;!</instructions>` +
      '<field var="FORM_TYPE" type="hidden"><value>jabber:bot</value></field>' +
      '<field var="botname" type="text-single" label="The name of your bot"><required/></field>' +
      '<field var="description" type="text-multi"><desc>Several lines</desc></field>' +
      '<field var="public" type="boolean"><value>1</value></field>' +
      '<field var="maxsubs" type="list-single"><value>20</value><option><value>10</value></option>' +
      '<option label="Twenty"><value>20</value></option><option><value>30</value></option></field></x>',
  )
})

test('XEP-0128: a result form has a hidden FORM_TYPE and leaves out what is undefined', () => {
  const x = resultForm('urn:example', { a: ['1', '2'], b: undefined, c: false, d: 3 })
  assert.equal(x.attrs['type'], 'result')
  assert.equal(formTypeOf(x), 'urn:example')
  assert.deepEqual(
    [...formValues(x)],
    [
      ['FORM_TYPE', ['urn:example']],
      ['a', ['1', '2']],
      ['c', ['0']],
      ['d', ['3']],
    ],
  )
})

test('XEP-0068: in a result the FORM_TYPE must be hidden, in a submission it need not', () => {
  assert.equal(formTypeOf(submit({ FORM_TYPE: 'a' }, 'result')), undefined)
  assert.equal(formTypeOf(submit({ FORM_TYPE: 'a' })), 'a')
  assert.equal(formTypeOf(submit({})), undefined)
})

test('XEP-0004 §3.5: a submission gives what was filled in and keeps the rest undefined', () => {
  const given = read({
    FORM_TYPE: 'jabber:bot',
    description: ['one', 'two'],
    public: 'false',
    maxsubs: '30',
    features: ['news', 'search'],
    language: 'tlh',
    owner: 'ROMEO@example.net',
    invitelist: ['Juliet@example.com', 'juliet@example.com', 'benvolio@example.org'],
    colour: 'red',
  })
  assert.equal(given.text('botname'), 'x')
  assert.equal(given.text('description'), 'one\ntwo')
  assert.deepEqual(given.texts('features'), ['news', 'search'])
  assert.equal(given.flag('public'), false)
  assert.equal(given.text('language'), 'tlh')
  assert.equal(given.text('owner'), 'romeo@example.net')
  assert.deepEqual(given.jids('invitelist')?.map(String), ['juliet@example.com', 'benvolio@example.org'])
  assert.deepEqual(given.unknown, ['colour'])
  const rest = read({})
  assert.equal(rest.has('public'), false)
  assert.deepEqual(
    [rest.flag('public'), rest.text('maxsubs'), rest.jids('owner')],
    [undefined, undefined, undefined],
  )
})

test('XEP-0004 §3.6: a field without a value empties it', () => {
  const given = read({ description: [], owner: '', public: [] })
  assert.equal(given.has('description'), true)
  assert.equal(given.text('description'), '')
  assert.deepEqual(given.jids('owner'), [])
  assert.equal(given.flag('public'), false)
})

const refused: [string, () => unknown, StanzaCondition][] = [
  ['another type', () => new Submission(submit({ botname: 'x' }, 'form'), undefined, fields), 'bad-request'],
  ['another FORM_TYPE', () => read({ FORM_TYPE: 'jabber:other' }), 'bad-request'],
  ['a required field left out', () => new Submission(submit({}), undefined, fields), 'not-acceptable'],
  ['a required field left empty', () => read({ botname: '' }), 'not-acceptable'],
  ['two values in a single field', () => read({ botname: ['a', 'b'] }), 'not-acceptable'],
  ['no boolean', () => read({ public: 'yes' }), 'not-acceptable'],
  ['no choice', () => read({ maxsubs: '40' }), 'not-acceptable'],
  ['a choice among wrong ones', () => read({ features: ['news', 'sports'] }), 'not-acceptable'],
  ['no address', () => read({ owner: '@example.com' }), 'not-acceptable'],
  ['no address among others', () => read({ invitelist: ['a@example.com', ' '] }), 'not-acceptable'],
]
for (const [what, run, condition] of refused)
  test(`XEP-0004 §4: ${what} is refused with ${condition}`, () => {
    assert.throws(run, (error) => error instanceof StanzaError && error.condition === condition)
  })
