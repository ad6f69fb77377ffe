/** The accounts and domains that somebody named, found; what is wrong with a name is told to who wrote it. */
import { CommandError } from '../host/command.js'
import type { CommandContext } from '../host/command.js'
import { Jid } from '../stanza/jid.js'
import type { Account, Accounts } from '../storage/accounts.js'

/** What names are looked up in. */
export interface Named {
  /** `ana` is one of the first. */
  readonly domains: readonly string[]
  readonly accounts: Accounts
}

export interface Found {
  readonly jid: Jid
  readonly name: string
  readonly account: Account
}

/** The prepared address of `ana` or `ana@example.org`, of a served domain. */
export function accountOf(written: string, named: Pick<Named, 'domains'>): Jid {
  const full = written.includes('@') ? written : `${written}@${named.domains[0]}`
  let jid: Jid
  try {
    jid = Jid.parse(full)
  } catch (error) {
    throw new CommandError(
      `"${written}" is not an address: ${(error as Error).message}`,
      'write NAME or NAME@DOMAIN',
    )
  }
  if (jid.local === '') throw new CommandError(`"${written}" has no name`, 'write NAME or NAME@DOMAIN')
  servedDomain(jid.domain, named)
  return jid
}

export function servedDomain(written: string, { domains }: Pick<Named, 'domains'>): string {
  let domain: string | undefined
  try {
    domain = Jid.parse(written).domain
  } catch {
    // Not a domain at all: as little served as one that is.
  }
  if (domain !== undefined && domains.includes(domain)) return domain
  throw new CommandError(`${written} is not served here`, `domains: ${domains.join(', ')}`)
}

/** All domains, or the one that was named. */
export function domainsOf(written: string | undefined, named: Pick<Named, 'domains'>): readonly string[] {
  return written === undefined ? named.domains : [servedDomain(written, named)]
}

export async function existing(written: string, named: Named): Promise<Found> {
  const jid = accountOf(written, named).bare
  const account = await named.accounts.get(jid.domain, jid.local)
  if (!account)
    throw new CommandError(
      `there is no account ${jid.toString()}`,
      'parley user list shows those there are',
      'item-not-found',
    )
  return { jid, name: jid.toString(), account }
}

/** An account that is to be changed, or whose secrets are to be read. */
export async function changeable(written: string, named: Named, at: CommandContext): Promise<Found> {
  const found = await existing(written, named)
  mayTouch(found.account, at)
  return found
}

/** Who looks after one domain does not get hold of an admin of the whole server. */
export function mayTouch(account: Account | undefined, { domain }: CommandContext): void {
  if (domain === undefined || account?.role !== 'admin') return
  throw new CommandError(
    `${account.local}@${account.domain} is an admin of the whole server`,
    'only another one may do that',
    'forbidden',
  )
}
