/** The commands about the clients of an account that log in with a token (XEP-0484). */
import { options, required, text } from '../base/schema.js'
import { CommandError, declare } from '../host/command.js'
import type { AnyCommand } from '../host/command.js'
import type { AdminServices } from './commands.js'
import { changeable, existing } from './named.js'
import { counted, time } from './print.js'

const account = text(required, 'NAME, or NAME@DOMAIN when there are several domains', { max: 3071 })

export function tokenCommands(server: () => AdminServices): AnyCommand[] {
  return [
    declare({
      name: 'user tokens',
      role: 'operator',
      summary: 'The clients of an account that log in without its password',
      reads: true,
      args: options({ account }),
      async run({ account }) {
        const found = await existing(account, server())
        const data = (await server().tokens.list(found.account.id)).map((token) => ({
          client: token.id,
          software: token.software ?? null,
          device: token.device ?? null,
          mechanism: token.mechanism,
          issued: time(token.issuedAt),
          expires: time(token.expiresAt),
          used: token.used,
        }))
        const rows = data.map(({ client, software, device, mechanism, issued, expires, used }) => [
          client,
          [software, device].filter((name) => name !== null).join(', '),
          mechanism,
          issued,
          expires,
          used ? 'yes' : 'not yet',
        ])
        const columns = ['CLIENT', 'NAME', 'LOGIN', 'ISSUED', 'EXPIRES', 'USED']
        return { data, table: { columns, rows }, text: counted(data.length, 'token') }
      },
    }),
    declare({
      name: 'user revoke',
      role: 'admin',
      summary: 'Take the tokens of a client away, or of all clients: they need the password again',
      args: options({
        account,
        client: text(undefined, 'One of `user tokens`; default: all', { max: 36 }),
      }),
      async run({ account, client }, at) {
        const found = await changeable(account, server(), at)
        const revoked = await server().tokens.revoke(found.account.id, client?.toLowerCase())
        if (revoked === 0 && client !== undefined)
          throw new CommandError(
            `no client ${client} of ${found.name} has a token`,
            `parley user tokens ${found.name} shows those that have`,
          )
        return {
          data: { account: found.name, clients: revoked },
          text: `${found.name}: tokens of ${counted(revoked, 'client')} taken away. Sessions stay, see \`session end\`.`,
        }
      },
    }),
  ]
}
