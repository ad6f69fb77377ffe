/** XEP-0050: Ad-Hoc Commands. What admins may do here, from their client; and what everybody may do with their account. */
import { options } from '../../base/schema.js'
import type { Caller, CommandRequest } from '../../host/desk.js'
import { iq, type IqRequest } from '../../host/iq-table.js'
import { defineModule, type DiscoBranch } from '../../host/module.js'
import type { Session } from '../../session/session.js'
import { Slot } from '../../session/slot.js'
import { StanzaError } from '../../stanza/errors.js'
import type { Account } from '../../storage/accounts.js'
import type { Element } from '../../xml/element.js'
import { NS } from '../../xml/namespaces.js'
import { administration, refusedNodes } from './administration.js'
import { declaredOffer, nodeOf } from './declared.js'
import {
  accepting,
  actionOf,
  commandElement,
  refusal,
  wayOf,
  type Offer,
  type Step,
} from '../../stanza/dialogue.js'
import { ownOffers } from './own.js'

/** Dialogues that one session may have open; one more ends the oldest. */
export const maxDialogues = 10
/** Milliseconds that a dialogue waits for its client. */
export const patience = 10 * 60_000

interface Dialogue {
  readonly id: string
  readonly node: string
  readonly at: 'host' | 'account'
  step: Extract<Step, { status: 'executing' }>
  /** Milliseconds since 1970. */
  until: number
}

/** Dialogues begin and end with their session; XEP-0050 §3.3: they are of one requester only. */
const dialogues = new Slot('commands', () => ({ open: new Map<string, Dialogue>(), ended: [] as string[] }))

export default defineModule({
  name: 'commands',
  summary: 'Lets admins run commands from their client, and everybody look after their account',
  xeps: [
    { number: 50, version: '1.3.0' },
    {
      number: 133,
      version: '1.3.1',
      note: 'without reading passwords, which nobody can, and allow lists, which are configured',
    },
  ],
  requires: ['disco'],
  options: options({}),

  setup(host) {
    /** What somebody may do here, if anything. */
    async function callerOf({ from, session }: IqRequest): Promise<Caller | undefined> {
      if (!session?.account || !host.desk) return undefined
      const account = await host.accounts.get(from.domain, from.local)
      if (account?.id !== session.account || account.role === undefined) return undefined
      const who = { by: 'ad-hoc command', user: from.bare.toString() }
      if (account.role === 'admin') return { ...who, role: 'admin' }
      if (from.domain !== host.domain) return undefined
      return { ...who, role: account.role === 'operator' ? 'operator' : 'admin', domain: host.domain }
    }

    /** The commands of the domain. @throws StanzaError `forbidden` to those who have none */
    async function offersOfHost(request: IqRequest): Promise<readonly Offer[]> {
      const caller = await callerOf(request)
      const desk = host.desk
      if (!caller || !desk) throw new StanzaError('forbidden')
      const declared = desk.commandsFor(caller).filter(({ slow, local }) => !slow && !local)
      // Asked anew each time: rights may go while a command is being filled in.
      const ask = async (asked: CommandRequest) => {
        const now = await callerOf(request)
        if (!now) throw new StanzaError('forbidden')
        return desk.run(asked, now)
      }
      const { offers, instead } = administration({
        commands: declared,
        ask,
        own: request.from.bare.toString(),
        domain: host.domain,
      })
      const others = declared
        .filter(({ name }) => !instead.has(name))
        .map((command) => declaredOffer(command, ask))
      return [...offers, ...others]
    }

    /** Those of the own account. @throws StanzaError `forbidden` to guests */
    async function offersOfAccount({ from, session }: IqRequest): Promise<readonly Offer[]> {
      const account = session?.account ? await host.account(from.local) : undefined
      if (!account || account.id !== session?.account) throw new StanzaError('forbidden')
      return ownOffers(host, account satisfies Account, session)
    }

    const offersAt = (at: Dialogue['at'], request: IqRequest) =>
      at === 'host' ? offersOfHost(request) : offersOfAccount(request)

    async function answer(at: Dialogue['at'], request: IqRequest): Promise<Element> {
      const { query, session } = request
      const { node, sessionid } = query.attrs
      // Nobody from elsewhere has a say here.
      if (!session) throw new StanzaError('forbidden')
      if (!node) throw new StanzaError('bad-request', 'A command needs its node.')
      const action = actionOf(query)
      const offers = await offersAt(at, request)
      if (sessionid === undefined) {
        if (action !== 'execute')
          throw refusal('bad-request', 'bad-sessionid', `To "${action}" needs the sessionid of a command.`)
        return begin(at, node, offers, session)
      }
      const dialogue = dialogueOf(session, sessionid)
      if (dialogue.node !== node || dialogue.at !== at)
        throw refusal('bad-request', 'bad-sessionid', 'The sessionid is that of another command.')
      if (action === 'cancel') {
        end(session, dialogue)
        return canceled(dialogue)
      }
      // Rights may have gone since it began.
      if (!offers.some((offer) => offer.node === node)) {
        end(session, dialogue)
        throw new StanzaError('forbidden')
      }
      return goOn(session, dialogue, () => wayOf(dialogue.step, action)(formOf(query)))
    }

    async function begin(
      at: Dialogue['at'],
      node: string,
      offers: readonly Offer[],
      session: Session,
    ): Promise<Element> {
      const offer = offers.find((one) => one.node === node)
      const never = at === 'host' ? refusedNodes.get(node) : undefined
      if (never) throw never()
      if (!offer) throw new StanzaError('item-not-found')
      const step = await accepting(() => offer.start())
      const id = host.random.id()
      if (step.status === 'executing') {
        const { open } = session.state(dialogues)
        const oldest = open.size >= maxDialogues ? [...open.values()][0] : undefined
        if (oldest) {
          host.hits.add('ad_hoc_dialogues')
          end(session, oldest)
        }
        open.set(id, { id, node, at, step, until: host.clock.now() + patience })
      }
      return commandElement(node, id, step)
    }

    async function goOn(
      session: Session,
      dialogue: Dialogue,
      way: () => Step | Promise<Step>,
    ): Promise<Element> {
      // Nothing is done twice because a client asks twice.
      const { open } = session.state(dialogues)
      open.delete(dialogue.id)
      try {
        const step = await accepting(way)
        if (step.status === 'completed') end(session, dialogue)
        else {
          dialogue.step = step
          dialogue.until = host.clock.now() + patience
          open.set(dialogue.id, dialogue)
        }
        return commandElement(dialogue.node, dialogue.id, step)
      } catch (error) {
        if (error instanceof StanzaError) open.set(dialogue.id, dialogue)
        throw error
      }
    }

    /** @throws StanzaError `bad-sessionid`, `session-expired` (XEP-0050 §4.4) */
    function dialogueOf(session: Session, id: string): Dialogue {
      const { open, ended } = session.state(dialogues)
      const dialogue = open.get(id)
      if (dialogue && dialogue.until > host.clock.now()) return dialogue
      if (dialogue) end(session, dialogue)
      if (ended.includes(id))
        throw refusal('not-allowed', 'session-expired', 'This command is over; begin it again.')
      throw refusal('bad-request', 'bad-sessionid', 'No command has this sessionid.')
    }

    function end(session: Session, { id }: Dialogue): void {
      const { open, ended } = session.state(dialogues)
      open.delete(id)
      ended.push(id)
      if (ended.length > 2 * maxDialogues) ended.shift()
    }

    return {
      features: [NS.adHoc],
      accountFeatures: [NS.adHoc],
      branches: [branchOf('host', offersOfHost), branchOf('account', ownOnly(offersOfAccount))],
      iq: [
        iq('set', 'host', 'command', NS.adHoc, (request) => answer('host', request)),
        iq('set', 'self', 'command', NS.adHoc, (request) => answer('account', request)),
      ],
    }
  },
})

/** Friends may discover the account, but what it can do with itself is its own business. */
function ownOnly(offers: (request: IqRequest) => Promise<readonly Offer[]>): typeof offers {
  return (request) => {
    if (!request.from.bare.equals(request.to)) throw new StanzaError('forbidden')
    return offers(request)
  }
}

/** XEP-0050 §2.2: the list of commands, and each of them, for those who may run them. */
function branchOf(
  at: 'host' | 'account',
  offersOf: (request: IqRequest) => Promise<readonly Offer[]>,
): DiscoBranch {
  const identity = (type: string, name?: string) => ({ category: 'automation', type, name })
  const isOurs = (node: string) => node.startsWith(nodeOf('')) || node.startsWith(`${NS.administration}#`)
  return {
    at,
    async info(request, node) {
      const isList = node === NS.adHoc
      if (!isList && !isOurs(node)) return undefined
      const offer = (await offersOf(request)).find((one) => one.node === node)
      if (isList)
        return { identities: [identity('command-list', 'Commands')], features: [NS.adHoc], forms: [] }
      if (!offer) return undefined
      return {
        identities: [identity('command-node', offer.name)],
        features: [NS.adHoc, NS.dataForms],
        forms: [],
      }
    },
    async items(request, node) {
      if (node !== NS.adHoc) {
        if (node === undefined || !isOurs(node)) return undefined
        return (await offersOf(request)).some((one) => one.node === node) ? [] : undefined
      }
      const jid = request.to.toString()
      return (await offersOf(request)).map((offer) => ({ jid, node: offer.node, name: offer.name }))
    },
  }
}

/** The form that was filled in. XEP-0050 §3.5.1: one that is canceled counts as submitted. */
function formOf(command: Element): Element | undefined {
  const x = command.child('x', NS.dataForms)
  if (x?.attrs['type'] === 'cancel') x.attrs['type'] = 'submit'
  return x
}

/** XEP-0050 §2.4.3. */
function canceled({ node, id }: Dialogue): Element {
  const element = commandElement(node, id, { status: 'completed', payload: [] })
  element.attrs['status'] = 'canceled'
  return element
}
