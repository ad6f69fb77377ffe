/** What people may do with their own account from their client, beside what has a protocol of its own. */
import type { Host } from '../../host/host.js'
import type { Session } from '../../session/session.js'
import { StanzaError } from '../../stanza/errors.js'
import { formatMoment } from '../../stanza/delay.js'
import { form, Submission, type Field } from '../../stanza/forms.js'
import type { Account } from '../../storage/accounts.js'
import { StreamError } from '../../stream/errors.js'
import type { Element } from '../../xml/element.js'
import { directoryKey, type Directory, type Listing } from '../user-search/api.js'
import { nodeOf } from './declared.js'
import { note, type Offer, type Step } from '../../stanza/dialogue.js'

export function ownOffers(host: Host, account: Account, session: Session): readonly Offer[] {
  const directory = host.provided(directoryKey)
  return [
    changePassword(host, account, session),
    ownSessions(host, session),
    ...(directory ? [beFound(directory, session)] : []),
  ]
}

const passwordFields: readonly Field[] = [
  { name: 'password', type: 'text-private', label: 'New password', required: true },
  { name: 'password-verify', type: 'text-private', label: 'Once more', required: true },
  { name: 'end_sessions', type: 'boolean', label: 'Disconnect my other devices', value: false },
]

function changePassword(host: Host, account: Account, session: Session): Offer {
  const name = 'Change my password'
  return {
    node: nodeOf('change password'),
    name,
    start: () => ({
      status: 'executing',
      payload: [form(undefined, passwordFields, { title: name })],
      async complete(filled) {
        const given = submitted(filled, passwordFields)
        const password = given.text('password') ?? ''
        if (password !== given.text('password-verify'))
          throw new StanzaError('not-acceptable', 'The two passwords differ.')
        await host.setPassword(account, password)
        host.log.info('account.password.changed', { user: session.jid.bare.toString() })
        const others = given.flag('end_sessions') ? othersOf(host, session) : []
        endAll(host, session, others, 'The password was changed')
        return done(`Your password is changed.${others.length > 0 ? ' The others are disconnected.' : ''}`)
      },
    }),
  }
}

function ownSessions(host: Host, session: Session): Offer {
  const name = 'My devices'
  const title = { title: name, instructions: 'Devices that are connected. Choose those to disconnect.' }
  return {
    node: nodeOf('my sessions'),
    name,
    start() {
      const others = othersOf(host, session)
      if (others.length === 0) return done('Only this device is connected.')
      const options = others.map((other) => [other.jid.resource, described(other)] as const)
      const fields: readonly Field[] = [
        { name: 'sessions', type: 'list-multi', label: 'Other devices', options },
      ]
      return {
        status: 'executing',
        payload: [form(undefined, fields, title)],
        complete(filled) {
          const chosen = submitted(filled, fields).texts('sessions') ?? []
          const ending = others.filter(({ jid, live }) => live && chosen.includes(jid.resource))
          endAll(host, session, ending, 'Disconnected from another device')
          return done(`Disconnected: ${ending.length}.`)
        },
      }
    },
  }
}

const listed: Field = { name: 'listed', type: 'boolean', label: 'Let people of this server find me' }
const nameFields: readonly Field[] = [
  { name: 'first', type: 'text-single', label: 'By my given name' },
  { name: 'last', type: 'text-single', label: 'By my family name' },
  { name: 'nick', type: 'text-single', label: 'By my nickname' },
]

/** XEP-0055: nobody is found who does not want to be. */
function beFound(directory: Directory, session: Session): Offer {
  const name = 'Be found by others'
  const account = session.jid.bare
  const fields = (current: Listing | undefined): readonly Field[] => [
    { ...listed, value: current !== undefined },
    ...nameFields.map((field) => ({ ...field, value: current?.[field.name as keyof Listing] || undefined })),
  ]
  return {
    node: nodeOf('be found'),
    name,
    start: () => ({
      status: 'executing',
      payload: [form(undefined, fields(directory.of(account)), { title: name })],
      async complete(filled) {
        const given = submitted(filled, fields(undefined))
        const text = (name: string) => given.text(name) ?? ''
        const listing = given.flag('listed')
          ? { first: text('first'), last: text('last'), nick: text('nick') }
          : undefined
        await directory.list(account, listing)
        return done(listing ? 'Others can find you now.' : 'Nobody finds you.')
      },
    }),
  }
}

function submitted(filled: Element | undefined, fields: readonly Field[]): Submission {
  if (!filled) throw new StanzaError('bad-request', 'The form is missing.')
  return new Submission(filled, undefined, fields)
}

const othersOf = (host: Host, session: Session) =>
  host.sessions.of(session.jid).filter((other) => other !== session)

function described({ jid, stream, since }: Session): string {
  const place = stream?.transport.remote ?? 'waiting to be resumed'
  return [jid.resource, place, `since ${formatMoment(since)}`].join(', ')
}

function endAll(host: Host, by: Session, sessions: readonly Session[], reason: string): void {
  if (sessions.length === 0) return
  for (const session of sessions) session.close(new StreamError('not-authorized', reason))
  host.log.info('account.sessions.ended', { user: by.jid.bare.toString(), count: sessions.length })
}

function done(text: string): Step {
  return { status: 'completed', payload: [note('info', text)] }
}
