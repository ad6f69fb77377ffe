/** Base64 read strictly, as SASL wants it: one text for one value. */

/**
 * The bytes of `text`, or undefined unless it is exactly what encoding them gives.
 * RFC 4648 §3.1-3.5: no line feeds, no foreign alphabet, padding present, unused bits zero.
 * (In RFC 6120 §6.4.2 a lone `=` stands for no bytes; that is for the caller, who knows the profile.)
 */
export function decodeBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}
