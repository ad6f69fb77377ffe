/** A picture of somebody: as a vCard has it (XEP-0153), and as personal eventing has it (XEP-0084). */
import { createHash } from 'node:crypto'
import { pictureOf } from './image.js'
import { el, type Element } from '../xml/element.js'
import { NS } from '../xml/namespaces.js'

export interface Photo {
  readonly bytes: Buffer
  /** SHA-1 of the bytes in lower-case hexadecimal digits: its name in both protocols. */
  readonly id: string
  /** Media type. */
  readonly type: string
}

/** `absent`: the card has no picture, or an empty one; `unfit`: something that is no picture, or elsewhere. */
export function photoOfCard(card: Element): Photo | 'absent' | 'unfit' {
  const [photo] = card.childrenOf('PHOTO', NS.vcard)
  return photo ? photoOfElement(photo) : 'absent'
}

/** Of one `<PHOTO/>`; as above. */
export function photoOfElement(photo: Element): Photo | 'absent' | 'unfit' {
  const text = photo.child('BINVAL', NS.vcard)?.text ?? ''
  if (text.trim() === '') return photo.child('EXTVAL', NS.vcard) ? 'unfit' : 'absent'
  const bytes = bytesOf(text)
  return (bytes && photoOf(bytes, photo.child('TYPE', NS.vcard)?.text.trim())) ?? 'unfit'
}

/** The picture that a `<data/>` of XEP-0084 §4.1 holds; `type` is what its metadata say. */
export function photoOfData(data: Element, type: string | undefined): Photo | undefined {
  const bytes = data.local === 'data' && data.ns === NS.avatarData ? bytesOf(data.text) : undefined
  return bytes && photoOf(bytes, type)
}

/** XEP-0153 §5: what the bytes are comes before what they are said to be. Undefined when neither names a picture. */
function photoOf(bytes: Buffer, said: string | undefined): Photo | undefined {
  const named = said !== undefined && /^image\/[\w.+-]{1,64}$/.test(said) ? said : undefined
  const type = pictureOf(bytes)?.type ?? named
  if (type === undefined) return undefined
  return { bytes, id: createHash('sha1').update(bytes).digest('hex'), type }
}

/** XEP-0153 §4.6: white space in the Base64 does not count. */
function bytesOf(text: string): Buffer | undefined {
  const packed = text.replaceAll(/[ \t\r\n]/g, '')
  if (packed === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed) || packed.length % 4 !== 0) return undefined
  return Buffer.from(packed, 'base64')
}

/** `<PHOTO/>` of a vCard. */
export function photoElement({ bytes, type }: Photo): Element {
  return el(
    'PHOTO',
    NS.vcard,
    undefined,
    el('TYPE', undefined, undefined, type),
    el('BINVAL', undefined, undefined, bytes.toString('base64')),
  )
}

/** XEP-0084 §4.1 */
export function dataElement({ bytes }: Photo): Element {
  return el('data', NS.avatarData, undefined, bytes.toString('base64'))
}

/** XEP-0084 §4.2; without a picture: there is none any more (§3.5). */
export function metadataElement(photo?: Photo): Element {
  if (!photo) return el('metadata', NS.avatarMetadata)
  const { bytes, id, type } = photo
  const { width, height } = pictureOf(bytes) ?? {}
  const info = { bytes: bytes.length, id, type, width, height }
  return el('metadata', NS.avatarMetadata, undefined, el('info', undefined, info))
}

export interface AvatarInfo {
  readonly id: string
  readonly type: string | undefined
}

/** XEP-0398 §3.1: the picture that is in the data node and not at a URL. */
export function infoOf(metadata: Element): AvatarInfo | undefined {
  for (const { attrs } of metadata.childrenOf('info', NS.avatarMetadata)) {
    const { id, type, url } = attrs
    if (url === undefined && id !== undefined && /^[\da-f]{40}$/i.test(id)) return { id, type }
  }
  return undefined
}
