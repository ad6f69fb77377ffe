/** Ad-hoc commands of a room (XEP-0050): each has one form at most, so nothing is kept between its steps. */
import type { RoomRequest } from './feature.js'
import type { Room } from './room.js'
import type { DiscoItem } from '../../host/module.js'
import type { DiscoInfo } from '../../stanza/caps.js'
import { accepting, actionOf, commandElement, refusal, type Step } from '../../stanza/dialogue.js'
import { StanzaError } from '../../stanza/errors.js'
import { form, Submission, type Field, type FormTexts } from '../../stanza/forms.js'
import type { Jid } from '../../stanza/jid.js'
import { el, type Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'

export interface RoomCommand {
  readonly node: string
  readonly name: string
  /** Who may not is not shown it. */
  allowed(room: Room, who: Jid): boolean
  /** What is to be filled in; without it nothing is. */
  readonly form?: {
    readonly type: string
    readonly texts: FormTexts
    fields(room: Room): readonly Field[]
  }
  /** Gives what the client is shown in the end. Not in turn. @throws StanzaError */
  run(room: Room, filled: Submission | undefined, who: Jid): Element | void | Promise<Element | void>
}

/** Those that somebody may use (XEP-0050 §2.2). */
export function itemsOf(commands: readonly RoomCommand[], { room, from }: RoomRequest): readonly DiscoItem[] {
  const jid = room.jid.toString()
  return commands
    .filter((command) => command.allowed(room, from))
    .map(({ node, name }) => ({ jid, node, name }))
}

/** One of them (XEP-0050 §2.3). */
export function infoOf(
  commands: readonly RoomCommand[],
  { room, from }: RoomRequest,
  node: string,
): DiscoInfo | undefined {
  const command = commands.find((one) => one.node === node && one.allowed(room, from))
  return (
    command && {
      identities: [{ category: 'automation', type: 'command-node', name: command.name }],
      features: [NS.adHoc, NS.dataForms],
      forms: [],
    }
  )
}

/** Carries out `<command/>`. @throws StanzaError `item-not-found`, `forbidden`, and what the command throws */
export async function carryOut(commands: readonly RoomCommand[], request: RoomRequest): Promise<Element> {
  const { room, query, from } = request
  const action = actionOf(query)
  const command = commands.find(({ node }) => node === query.attrs['node'])
  if (!command) throw new StanzaError('item-not-found')
  if (!command.allowed(room, from)) throw new StanzaError('forbidden')
  const { node } = command
  const sessionid = query.attrs['sessionid'] ?? room.service.host.random.id()
  if (action === 'cancel') return el('command', NS.adHoc, { node, sessionid, status: 'canceled' })
  if (action === 'prev' || action === 'next')
    throw refusal('bad-request', 'bad-action', `There is no "${action}" at this point.`)
  const step = await stepOf(command, request)
  return commandElement(node, sessionid, step)
}

async function stepOf(command: RoomCommand, { room, from, query }: RoomRequest): Promise<Step> {
  const { form: asked } = command
  const completed = async (filled: Submission | undefined): Promise<Step> => {
    const payload = await command.run(room, filled, from)
    return { status: 'completed', payload: payload ? [payload] : [] }
  }
  if (!asked) return completed(undefined)
  const fields = asked.fields(room)
  const x = query.child('x', NS.dataForms)
  // XEP-0317 §3.3, §3.6: who knows the form sends it filled in at once.
  if (x) return completed(await accepting(() => new Submission(x, asked.type, fields)))
  const complete = () => completed(undefined)
  return { status: 'executing', payload: [form(asked.type, fields, asked.texts)], complete }
}
