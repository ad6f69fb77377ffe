/** Arrays in PostgreSQL's binary form: for large ones that costs a fraction of escaping them as text. */

/** Types of elements (pg_type). */
const oids = { bool: 16, int8: 20, int4: 23, text: 25, uuid: 2950 } as const

/** Bytes before the first element: dimensions, whether there are nulls, the type, the length, the lower bound. */
const headerBytes = 20
/** The length of an element that is null. */
const isNull = -1

export function booleans(values: readonly boolean[]): Buffer {
  return fixed(oids.bool, 1, values, (buffer, value, at) => buffer.writeUInt8(value ? 1 : 0, at))
}

export function int4s(values: readonly number[]): Buffer {
  return fixed(oids.int4, 4, values, (buffer, value, at) => buffer.writeInt32BE(value, at))
}

/** Of safe integers. */
export function int8s(values: readonly number[]): Buffer {
  return fixed(oids.int8, 8, values, (buffer, value, at) => {
    const high = Math.floor(value / 2 ** 32)
    buffer.writeInt32BE(high, at)
    buffer.writeUInt32BE(value - high * 2 ** 32, at + 4)
  })
}

/** Null where there is none. */
export function bigints(values: readonly (bigint | undefined)[]): Buffer {
  const there = values.filter((value) => value !== undefined).length
  const buffer = Buffer.allocUnsafe(headerBytes + 4 * values.length + 8 * there)
  let at = header(buffer, oids.int8, values.length, there < values.length)
  for (const value of values) {
    at = buffer.writeInt32BE(value === undefined ? isNull : 8, at)
    if (value !== undefined) at = buffer.writeBigInt64BE(value, at)
  }
  return buffer
}

/** Of the usual text form, with hyphens. */
export function uuids(values: readonly string[]): Buffer {
  return fixed(oids.uuid, 16, values, (buffer, value, at) => {
    buffer.write(value.replaceAll('-', ''), at, 'hex')
  })
}

export function texts(values: readonly string[]): Buffer {
  let bytes = headerBytes + 4 * values.length
  for (const value of values) bytes += Buffer.byteLength(value)
  const buffer = Buffer.allocUnsafe(bytes)
  let at = header(buffer, oids.text, values.length, false)
  for (const value of values) {
    const written = buffer.write(value, at + 4)
    buffer.writeInt32BE(written, at)
    at += 4 + written
  }
  return buffer
}

function fixed<T>(
  oid: number,
  size: number,
  values: readonly T[],
  write: (buffer: Buffer, value: T, at: number) => unknown,
): Buffer {
  const buffer = Buffer.allocUnsafe(headerBytes + (4 + size) * values.length)
  let at = header(buffer, oid, values.length, false)
  for (const value of values) {
    buffer.writeInt32BE(size, at)
    write(buffer, value, at + 4)
    at += 4 + size
  }
  return buffer
}

/** One dimension, counted from 1. Gives where it ends. */
function header(buffer: Buffer, oid: number, length: number, hasNulls: boolean): number {
  let at = buffer.writeInt32BE(1, 0)
  at = buffer.writeInt32BE(hasNulls ? 1 : 0, at)
  at = buffer.writeInt32BE(oid, at)
  at = buffer.writeInt32BE(length, at)
  return buffer.writeInt32BE(1, at)
}
