/** Avatars: where personal eventing keeps them (XEP-0084), and how they come there from old cards (XEP-0398). */
import {
  type AvatarInfo,
  dataElement,
  infoOf,
  metadataElement,
  type Photo,
  photoOfData,
} from '../../stanza/photo.js'
import type { Jid } from '../../stanza/jid.js'
import { NS } from '../../xml/namespaces.js'
import type { Pep, PepOptions } from '../pubsub/api.js'

/** A vCard can be read by everybody, and so can its picture (XEP-0222). */
const forAll: PepOptions = { access: 'open' }

export class Avatars {
  readonly #pep: Pep
  readonly #largest: number

  /** `largest` is the size of a picture in bytes past which it stays out of cards. */
  constructor(pep: Pep, largest: number) {
    this.#pep = pep
    this.#largest = largest
  }

  /** Hash of the present one; '' when the owner has none any more, undefined when there never was one. */
  async hashOf(account: Jid): Promise<string | undefined> {
    const [item] = await this.#pep.items(account, NS.avatarMetadata, { max: 1 })
    return item && (infoOf(item.payload)?.id.toLowerCase() ?? '')
  }

  /** The picture, as far as `reader` may see it (XEP-0398 §5.2, §7). */
  async photoFor(reader: Jid, account: Jid): Promise<Photo | undefined> {
    const [metadata] = await this.#pep.readable(account, NS.avatarMetadata, reader, { max: 1 })
    const info = metadata && infoOf(metadata.payload)
    if (!info) return undefined
    const ids = [...new Set([info.id, info.id.toLowerCase()])]
    const [data] = await this.#pep.readable(account, NS.avatarData, reader, { ids })
    const photo = data && photoOfData(data.payload, info.type)
    return photo && this.#fits(photo, info) ? photo : undefined
  }

  /** XEP-0398 §3.1: what its name says, and not larger than a card should be. */
  #fits({ id, bytes }: Photo, info: AvatarInfo): boolean {
    return id === info.id.toLowerCase() && bytes.length <= this.#largest
  }

  /** XEP-0398 §3.2: the data come first. Nothing happens when it is the present one. */
  async publish(account: Jid, photo: Photo): Promise<void> {
    if ((await this.hashOf(account)) === photo.id) {
      const there = await this.#pep.items(account, NS.avatarData, { ids: [photo.id] })
      if (there.length > 0) return
    }
    await this.#pep.publish(account, NS.avatarData, { id: photo.id, payload: dataElement(photo) }, forAll)
    await this.#pep.publish(
      account,
      NS.avatarMetadata,
      { id: photo.id, payload: metadataElement(photo) },
      forAll,
    )
  }

  /** XEP-0084 §3.5, when there is one. */
  async disable(account: Jid): Promise<void> {
    if (await this.hashOf(account))
      await this.#pep.publish(account, NS.avatarMetadata, { payload: metadataElement() })
  }
}
