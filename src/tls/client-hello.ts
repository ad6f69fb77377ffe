/**
 * Reads the server name out of a ClientHello before TLS begins (RFC 8446 §4.1.2, RFC 6066 §3). Node would tell it
 * during the handshake, but then adds the chosen certificate to the first one: with one RSA and one ECDSA certificate
 * the client gets whichever it likes better, which may be that of the wrong domain.
 */

/** `more`: not all of it is there yet. `not TLS`: it cannot become one. */
export type Hello = 'more' | 'not TLS' | { readonly serverName: string | undefined }

const recordTypeHandshake = 22
const clientHello = 1
const maximumBytes = 16_384
const unnamed: Hello = { serverName: undefined }

/** `bytes` is all that the client has sent. What is broken inside is left for the TLS library to refuse. */
export function readClientHello(bytes: Buffer): Hello {
  const fragments: Buffer[] = []
  let gathered = 0
  for (let at = 0; ;) {
    if (at < bytes.length && bytes[at] !== recordTypeHandshake) return at === 0 ? 'not TLS' : unnamed
    if (at + 1 < bytes.length && bytes[at + 1] !== 3) return at === 0 ? 'not TLS' : unnamed
    if (at > maximumBytes) return unnamed
    if (at + 5 > bytes.length) return 'more'
    const end = at + 5 + bytes.readUInt16BE(at + 3)
    if (end - at - 5 > maximumBytes) return 'not TLS'
    if (end > bytes.length) return 'more'
    fragments.push(bytes.subarray(at + 5, end))
    gathered += end - at - 5
    at = end
    if (gathered < 4) continue
    const message = fragments.length === 1 ? fragments[0]! : Buffer.concat(fragments)
    const length = message.readUIntBE(1, 3)
    if (message[0] !== clientHello || length > maximumBytes) return unnamed
    if (message.length >= 4 + length) return { serverName: serverNameOf(message.subarray(4, 4 + length)) }
  }
}

function serverNameOf(hello: Buffer): string | undefined {
  try {
    let at = 2 + 32 // legacy_version, random
    at += 1 + hello.readUInt8(at) // legacy_session_id
    at += 2 + hello.readUInt16BE(at) // cipher_suites
    at += 1 + hello.readUInt8(at) // legacy_compression_methods
    const end = at + 2 + hello.readUInt16BE(at)
    at += 2
    while (at + 4 <= end) {
      const type = hello.readUInt16BE(at)
      const length = hello.readUInt16BE(at + 2)
      if (type === 0) return hostName(hello.subarray(at + 4, at + 4 + length))
      at += 4 + length
    }
  } catch {
    // Cut short: no name.
  }
  return undefined
}

/** RFC 6066 §3: ServerNameList; there is one name of type host_name (0). */
function hostName(list: Buffer): string | undefined {
  if (list.readUInt8(2) !== 0) return undefined
  const name = list.subarray(5, 5 + list.readUInt16BE(3)).toString('latin1')
  return name === '' ? undefined : name
}
