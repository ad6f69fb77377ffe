/** Data forms (XEP-0004) and their FORM_TYPE (XEP-0068): forms to fill in, results to read, submissions to check. */
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'
import { StanzaError } from './errors.js'
import { Jid, JidError } from './jid.js'

/** XEP-0004 §3.3. */
export type FieldType =
  | 'boolean'
  | 'fixed'
  | 'hidden'
  | 'jid-multi'
  | 'jid-single'
  | 'list-multi'
  | 'list-single'
  | 'text-multi'
  | 'text-private'
  | 'text-single'

export type FieldValue = string | number | boolean | Jid | readonly (string | Jid)[]

/** A field as its form declares it. */
export interface Field {
  readonly name: string
  readonly type: FieldType
  readonly label?: string
  readonly description?: string
  readonly required?: boolean
  /** The current or default value. */
  readonly value?: FieldValue | undefined
  /** The choices of `list-single` and `list-multi`: values, or pairs of value and label. */
  readonly options?: readonly (string | readonly [value: string, label: string])[]
  /** For lists: other values than the choices may be submitted (XEP-0122 calls it open). */
  readonly open?: boolean
  /** For `text-single`: a whole number (XEP-0122 §3.2.3), both ends included. */
  readonly range?: { readonly min: number; readonly max: number } | undefined
}

export interface FormTexts {
  readonly title?: string
  readonly instructions?: string
}

/** A form to fill in. `formType` names its fields' meaning (XEP-0068). */
export function form(formType: string | undefined, fields: readonly Field[], texts: FormTexts = {}): Element {
  return el(
    'x',
    NS.dataForms,
    { type: 'form' },
    texts.title === undefined ? undefined : el('title', undefined, undefined, texts.title),
    texts.instructions === undefined
      ? undefined
      : el('instructions', undefined, undefined, texts.instructions),
    formType === undefined ? undefined : typeField(formType),
    ...fields.map(declaration),
  )
}

/** A form of type result: data to read, as in XEP-0128. Values that are undefined are left out. */
export function resultForm(
  formType: string,
  values: Readonly<Record<string, FieldValue | undefined>>,
): Element {
  return el(
    'x',
    NS.dataForms,
    { type: 'result' },
    typeField(formType),
    ...Object.entries(values).map(([name, value]) =>
      value === undefined ? undefined : el('field', undefined, { var: name }, ...valueElements(value)),
    ),
  )
}

/** A form of type result with a row for each item (XEP-0004 §3.4); without columns a field for each pair of name and value. */
export function tableForm(columns: readonly string[], rows: readonly (readonly string[])[]): Element {
  const value = (text: string) => el('value', undefined, undefined, text)
  if (columns.length === 0)
    return el(
      'x',
      NS.dataForms,
      { type: 'result' },
      ...rows.map(([name = '', text = '']) =>
        el('field', undefined, { var: name, label: name }, value(text)),
      ),
    )
  const fields = columns.map((name) => ({ name, label: name, type: 'text-single' }) as const)
  return typedTable(undefined, fields, rows)
}

/** The same, of columns that are declared. */
export function typedTable(
  formType: string | undefined,
  columns: readonly Field[],
  rows: readonly (readonly string[])[],
): Element {
  const reported = columns.map(({ name, label, type }) => el('field', undefined, { var: name, label, type }))
  const cell = ({ name }: Field, text = '') =>
    el('field', undefined, { var: name }, el('value', undefined, undefined, text))
  const items = rows.map((row) =>
    el('item', undefined, undefined, ...columns.map((column, i) => cell(column, row[i]))),
  )
  return el(
    'x',
    NS.dataForms,
    { type: 'result' },
    formType === undefined ? undefined : typeField(formType),
    el('reported', undefined, undefined, ...reported),
    ...items,
  )
}

/** Forms with the fields of all of one FORM_TYPE in one, as there must not be two (XEP-0128 §4, XEP-0485 §8.2). */
export function joinedForms(forms: readonly Element[]): Element[] {
  const joined = new Map<string | undefined, Element[]>()
  for (const x of forms) {
    const type = formTypeOf(x)
    const fields = x.childrenOf('field', NS.dataForms).filter(({ attrs }) => attrs['var'] !== 'FORM_TYPE')
    joined.set(type, [...(joined.get(type) ?? []), ...fields])
  }
  return [...joined].map(([type, fields]) =>
    el('x', NS.dataForms, { type: 'result' }, type === undefined ? undefined : typeField(type), ...fields),
  )
}

function typeField(formType: string): Element {
  return el(
    'field',
    undefined,
    { var: 'FORM_TYPE', type: 'hidden' },
    el('value', undefined, undefined, formType),
  )
}

function declaration(field: Field): Element {
  const { name, type, label, description } = field
  return el(
    'field',
    undefined,
    { var: type === 'fixed' && name === '' ? undefined : name, type, label },
    description === undefined ? undefined : el('desc', undefined, undefined, description),
    field.required ? el('required') : undefined,
    // XEP-0122 §3.2.
    field.open && field.options === undefined
      ? el('validate', NS.formValidation, { datatype: 'xs:string' }, el('open'))
      : undefined,
    field.range &&
      el('validate', NS.formValidation, { datatype: 'xs:integer' }, el('range', undefined, field.range)),
    ...(field.value === undefined ? [] : valueElements(field.value)),
    ...(field.options ?? []).map((option) => {
      const [value, optionLabel] = typeof option === 'string' ? [option] : option
      return el('option', undefined, { label: optionLabel }, el('value', undefined, undefined, value))
    }),
  )
}

function valueElements(value: FieldValue): Element[] {
  const values = Array.isArray(value) ? (value as readonly (string | Jid)[]) : [value as string]
  return values.map((one) =>
    el('value', undefined, undefined, typeof one === 'boolean' ? (one ? '1' : '0') : String(one)),
  )
}

/** The FORM_TYPE of a form, or undefined. XEP-0068 §3.1: in a form or result the field must be hidden to count. */
export function formTypeOf(x: Element): string | undefined {
  const field = x.childrenOf('field', NS.dataForms).find((one) => one.attrs['var'] === 'FORM_TYPE')
  if (!field) return undefined
  const hidden = x.attrs['type'] === 'submit' || field.attrs['type'] === 'hidden'
  return hidden ? field.child('value', NS.dataForms)?.text : undefined
}

/** Values by field name; a field without values has an empty list. The first of two fields of one name counts. */
export function formValues(x: Element): ReadonlyMap<string, readonly string[]> {
  const values = new Map<string, readonly string[]>()
  for (const field of x.childrenOf('field', NS.dataForms)) {
    const name = field.attrs['var']
    if (name === undefined || values.has(name)) continue
    values.set(
      name,
      field.childrenOf('value', NS.dataForms).map((value) => value.text),
    )
  }
  return values
}

/** What somebody filled in, checked against the form's fields. Fields that were left out read as undefined. */
export class Submission {
  readonly #values = new Map<string, readonly string[]>()
  /** Names that the form does not have; XEP-0004 §3.1 ignores them, some protocols must not. */
  readonly unknown: readonly string[]

  /**
   * Reads an `<x type='submit'/>`. Throws StanzaError: *bad-request* when it is no submission of this form,
   * *not-acceptable* when a value does not fit (XEP-0004 §4).
   */
  constructor(x: Element, formType: string | undefined, fields: readonly Field[]) {
    if (x.attrs['type'] !== 'submit') throw new StanzaError('bad-request', 'The form is not of type submit.')
    const given = formValues(x)
    const claimed = given.get('FORM_TYPE')
    // XEP-0068 §3: the surrounding protocol says what it is when the field is missing, but it must not say another.
    if (claimed && formType !== undefined && claimed[0] !== formType)
      throw new StanzaError('bad-request', `The FORM_TYPE is not ${formType}.`)
    for (const field of fields) {
      const values = given.get(field.name)
      const empty = values === undefined || values.every((value) => value === '')
      if (field.required && empty)
        throw new StanzaError('not-acceptable', `The field ${field.name} is required.`)
      if (values !== undefined) this.#values.set(field.name, checked(field, empty ? [] : values))
    }
    const known = new Set(['FORM_TYPE', ...fields.map((field) => field.name)])
    this.unknown = [...given.keys()].filter((name) => !known.has(name))
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  /** The value, '' when it was emptied, undefined when it was left out; lines are joined by newlines. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.join('\n')
  }

  texts(name: string): readonly string[] | undefined {
    return this.#values.get(name)
  }

  /** False also when it was emptied. */
  flag(name: string): boolean | undefined {
    const value = this.text(name)
    return value === undefined ? undefined : isTrue(value)
  }

  /** Without duplicates (XEP-0004 §3.3). */
  jids(name: string): readonly Jid[] | undefined {
    const values = this.#values.get(name)
    return values && [...new Map(values.map((value) => [value, Jid.parse(value)])).values()]
  }
}

/** The values in canonical form, when they fit the field's type; else throws *not-acceptable*. */
function checked(field: Field, values: readonly string[]): readonly string[] {
  const multiple = field.type.endsWith('-multi') || field.type === 'hidden' || field.type === 'fixed'
  if (!multiple && values.length > 1) throw misfit(field, 'has more than one value')
  switch (field.type) {
    case 'boolean':
      if (values.some((value) => !/^(?:0|1|true|false)$/.test(value))) throw misfit(field, 'is no boolean')
      return values
    case 'jid-single':
    case 'jid-multi':
      return values.map((value) => canonicalJid(field, value))
    case 'list-single':
    case 'list-multi': {
      const choices = (field.options ?? []).map((option) => (typeof option === 'string' ? option : option[0]))
      if (!field.open && values.some((value) => !choices.includes(value)))
        throw misfit(field, 'has a value that is no choice')
      return values
    }
    case 'fixed':
    case 'hidden':
    case 'text-multi':
    case 'text-private':
    case 'text-single':
      if (field.range && !values.every((value) => isWithin(value, field.range!)))
        throw misfit(field, `is no number from ${field.range.min} to ${field.range.max}`)
      return values
  }
}

function canonicalJid(field: Field, value: string): string {
  try {
    return Jid.parse(value).toString()
  } catch (error) {
    if (error instanceof JidError) throw misfit(field, 'is no address')
    throw error
  }
}

function isWithin(value: string, { min, max }: NonNullable<Field['range']>): boolean {
  return /^[+-]?\d{1,15}$/.test(value) && Number(value) >= min && Number(value) <= max
}

function misfit(field: Field, what: string): StanzaError {
  return new StanzaError('not-acceptable', `The field ${field.name} ${what}.`)
}

/** XML Schema's booleans, as XEP-0004 §3.3 demands both styles. */
export function isTrue(value: string): boolean {
  return value === '1' || value === 'true'
}
