/** What the owners of a room can set: fields of its form (XEP-0045 §10.2), and the values that a room has for them. */
import { StanzaError } from '../../stanza/errors.js'
import { isTrue, type Field, type FieldType, type FieldValue } from '../../stanza/forms.js'

/** A field with values of type T. Its feature declares it, the form shows it, the store keeps it under `name`. */
export interface ConfigField<T = unknown> {
  /** `muc#roomconfig_…` where XEP-0045 §16.5.3 knows it. */
  readonly name: string
  readonly type: FieldType
  /** For the owner, in our own words. */
  readonly label: string
  /** What a new room has. */
  readonly initial: T
  readonly options?: Field['options']
  readonly range?: Field['range']
  /** Other values than the options may be submitted. */
  readonly open?: boolean
  /** From a form that was checked against `type`, `options` and `range`. @throws StanzaError `not-acceptable` */
  read(values: readonly string[]): T
  /** For the form. */
  write(value: T): FieldValue
}

/** A field of whichever type. */
// oxlint-disable-next-line typescript/no-explicit-any -- its values go from `read` to who holds the field unseen
export type AnyConfigField = ConfigField<any>

type Words = Readonly<{ name: string; label: string }>

export function flagField(name: string, label: string, initial: boolean): ConfigField<boolean> {
  return {
    name,
    type: 'boolean',
    label,
    initial,
    read: ([value = '0']) => isTrue(value),
    write: (value) => value,
  }
}

/** A line of text of at most `max` characters. */
export function textField(name: string, label: string, initial = '', max = 1000): ConfigField<string> {
  return { ...limitedText({ name, label }, initial, max), type: 'text-single' }
}

/** The same, not shown while it is written. */
export function secretField(name: string, label: string, max = 1000): ConfigField<string> {
  return { ...limitedText({ name, label }, '', max), type: 'text-private' }
}

/** A whole number from 0 up to `max`. */
export function countField(
  name: string,
  label: string,
  initial: number,
  { max }: { readonly max: number },
): ConfigField<number> {
  return {
    name,
    type: 'text-single',
    label,
    initial,
    range: { min: 0, max },
    read: ([value = String(initial)]) => {
      const text = value.trim()
      if (/^\d{1,9}$/.test(text) && Number(text) <= max) return Number(text)
      throw new StanzaError('not-acceptable', `The field ${name} is a number from 0 to ${max}.`)
    },
    write: (value) => String(value),
  }
}

/** One of several values. */
export function choiceField<const V extends string>(
  name: string,
  label: string,
  initial: V,
  options: readonly (readonly [value: V, label: string])[],
): ConfigField<V> {
  return {
    name,
    type: 'list-single',
    label,
    initial,
    options,
    read: ([value = initial]) => value as V,
    write: (value) => value,
  }
}

/** Several of some values. */
export function choicesField<const V extends string>(
  name: string,
  label: string,
  initial: readonly V[],
  options: readonly (readonly [value: V, label: string])[],
): ConfigField<readonly V[]> {
  return {
    name,
    type: 'list-multi',
    label,
    initial,
    options,
    read: (values) => values as readonly V[],
    write: (values) => values,
  }
}

function limitedText(
  { name, label }: Words,
  initial: string,
  max: number,
): Omit<ConfigField<string>, 'type'> {
  return {
    name,
    label,
    initial,
    read: ([value = '']) => {
      if (value.length > max)
        throw new StanzaError('not-acceptable', `The field ${name} has more than ${max} characters.`)
      return value
    },
    write: (value) => value,
  }
}

/** The values of a room by field; what was never set is as in a new room. A value: changes make another one. */
export class RoomConfig {
  /** By name, as stored. */
  readonly values: Readonly<Record<string, unknown>>

  constructor(values: Readonly<Record<string, unknown>> = {}) {
    this.values = values
  }

  get<T>(field: ConfigField<T>): T {
    const value = this.values[field.name]
    return value === undefined ? field.initial : (value as T)
  }

  with<T>(field: ConfigField<T>, value: T): RoomConfig {
    return new RoomConfig({ ...this.values, [field.name]: value })
  }
}
