/** What an admin says to everybody: at once, once to each (the message of the day), or to those who are new. */
import { flag, lines, options, required, text } from '../base/schema.js'
import { Turns } from '../base/turns.js'
import { announce, tell } from '../host/announce.js'
import { command } from '../host/command.js'
import type { Way } from '../host/host.js'
import { defineModule } from '../host/module.js'
import type { Session } from '../session/session.js'
import type { Jid } from '../stanza/jid.js'
import type { Stanza } from '../stanza/stanza.js'

interface Motd {
  readonly message: string
  /** Who has seen this one need not see it again. */
  readonly id: string
}

/** Keys of no account: these stay when accounts go. */
const MOTD = ' motd'
const WELCOME = ' welcome'

const message = lines(required, 'What to say', { max: 20_000 })

export default defineModule({
  name: 'announcements',
  summary: 'Lets admins say something to everybody, once a day or when somebody is new',
  xeps: [],
  options: options({}),

  async setup(host) {
    const messages = host.map<Motd | string>('announcements')
    /** By localpart: the id of the last one seen. */
    const seen = host.map<string>('announcements-seen')
    const turns = new Turns()
    let motd = (await messages.get(MOTD)) as Motd | undefined
    let welcome = (await messages.get(WELCOME)) as string | undefined

    /** XEP-0133 §4.24: after the next login, once to each account. */
    async function show(session: Session): Promise<void> {
      await turns.take(session.jid.local, async () => {
        const today = motd
        if (!today || !session.live || (await seen.get(session.jid.local)) === today.id) return
        await seen.set(session.jid.local, today.id)
        tell(host, session.jid, today.message, 'Message of the day')
      })
    }

    function presenceChanged({
      session,
      before,
      now,
    }: { session: Session } & Record<'before' | 'now', Stanza | undefined>) {
      if (!motd || before || !now || session.account === 0) return
      show(session).catch((error: unknown) => host.log.warn('admin.motd.failed', { error }))
    }

    async function setMotd(text: string, again: boolean): Promise<void> {
      const next = { message: text, id: again || !motd ? host.random.id() : motd.id }
      await messages.set(MOTD, next)
      motd = next
      if (!again) return
      // §4.24: those who are here see it at once, each account once.
      const first = new Map<string, Session>()
      for (const session of host.sessions.all())
        if (session.takesMessages && session.account !== 0 && !first.has(session.jid.local))
          first.set(session.jid.local, session)
      for (const session of first.values()) await show(session)
    }

    /** §4.27: waits for the first login among the messages for who is away. */
    function greet(account: Jid, way: Way): void {
      // Who moves here with all they have is no stranger.
      if (welcome !== undefined && way !== 'import') tell(host, account, welcome, 'Welcome')
    }

    const shown = (text: string | undefined) => ({
      data: { message: text ?? null },
      text: text ?? 'there is none',
    })

    return {
      events: { presenceChanged, accountCreated: greet },
      commands: [
        {
          ...command(
            'announce',
            'admin',
            'Send a message to everybody who is connected',
            options({ message, subject: text('Announcement', 'The subject') }),
            async ({ message, subject }) => {
              const told = await announce(host, message, subject)
              return { data: { told }, text: `Told: ${told} ${told === 1 ? 'account' : 'accounts'}.` }
            },
          ),
          unlogged: ['message', 'subject'],
        },
        {
          ...command(
            'motd set',
            'admin',
            'Set the message of the day: everybody gets it once, now or at the next login',
            options({ message, again: flag(true, 'Also to those who have seen the one before') }),
            async ({ message, again }) => {
              await setMotd(message, again)
              return 'The message of the day is set.'
            },
          ),
          unlogged: ['message'],
        },
        command('motd show', 'operator', 'The message of the day', options({}), async () =>
          shown(motd?.message),
        ),
        command('motd clear', 'admin', 'Have no message of the day', options({}), async () => {
          await messages.delete(MOTD)
          motd = undefined
          return 'There is no message of the day any more.'
        }),
        {
          ...command(
            'welcome set',
            'admin',
            'Set the message that new accounts get',
            options({ message }),
            async ({ message }) => {
              await messages.set(WELCOME, message)
              welcome = message
              return 'New accounts get this message from now on.'
            },
          ),
          unlogged: ['message'],
        },
        command('welcome show', 'operator', 'The message that new accounts get', options({}), async () =>
          shown(welcome),
        ),
        command('welcome clear', 'admin', 'Have no message for new accounts', options({}), async () => {
          await messages.delete(WELCOME)
          welcome = undefined
          return 'New accounts get no message any more.'
        }),
      ],
    }
  },
})
