/** Archived messages as they are sent to whoever asked (XEP-0313 §4.2): their text goes on as it was kept. */
import type { Log } from '../base/log.js'
import { formatMoment } from '../stanza/delay.js'
import type { Jid } from '../stanza/jid.js'
import { CONTENT, Stanza } from '../stanza/stanza.js'
import type { Archived } from '../storage/archive.js'
import { NS } from '../xml/namespaces.js'
import { parseDocument } from '../xml/parser.js'
import { escapeAttribute } from '../xml/write.js'

/** What clients take: a stanza of another server at most, and what its archive adds to it. */
const readable = { bytes: 1 << 20, depth: 130 } as const

export class Results {
  readonly #archive: Jid
  readonly #to: Jid
  readonly #queryId: string
  readonly #log: Log

  /** Of the archive of the bare address `archive`, for `to`. */
  constructor(archive: Jid, to: Jid, queryId: string | undefined, log: Log) {
    this.#archive = archive
    this.#to = to
    this.#queryId = queryId === undefined ? '' : ` queryid='${escapeAttribute(queryId)}'`
    this.#log = log
  }

  of({ id, at, stanza }: Archived): Stanza {
    const delay = `<delay xmlns='${NS.delay}' stamp='${formatMoment(at)}'/>`
    const forwarded = `<forwarded xmlns='${NS.forward}'>${delay}${this.#checked(id, stanza)}</forwarded>`
    const result = `<result xmlns='${NS.archive}'${this.#queryId} id='${id}'>${forwarded}</result>`
    const envelope = { kind: 'message', from: this.#archive, to: this.#to } as const
    return Stanza.of(envelope).withWritten('result', NS.archive, result)
  }

  /** What cannot be read any more is told as a message without content: it would break the stream of who reads it. */
  #checked(id: string, text: string): string {
    try {
      const { name, ns } = parseDocument(text, readable)
      if (name === 'message' && ns === CONTENT) return text
      this.#log.error('archive.unreadable', { id, reason: 'not a message' })
    } catch (error) {
      this.#log.error('archive.unreadable', { id, error })
    }
    return Stanza.of({ kind: 'message', from: this.#archive }).toStandaloneXml()
  }
}
