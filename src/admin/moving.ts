/** The commands that write accounts into a file and read them from one (XEP-0227). */
import { flag, options, required, text } from '../base/schema.js'
import { CommandError, declare } from '../host/command.js'
import type { AnyCommand, CommandResult, FilesOfCaller } from '../host/command.js'
import type { Account, Accounts } from '../storage/accounts.js'
import type { AdminServices } from './commands.js'
import { exportFile, type ExportCount, type Exported } from './export.js'
import { importFiles, type Destination, type ImportReport } from './import.js'
import { changeable, servedDomain } from './named.js'
import { counted } from './print.js'
import { withPassword } from './users.js'

/** Characters that are written at once. */
const BLOCK = 64 * 1024

export function movingCommands(server: () => AdminServices): AnyCommand[] {
  return [
    declare({
      name: 'user export',
      role: 'admin',
      local: 'writes',
      slow: true,
      summary: 'Write an account with all it keeps here into a file, also what proves its password',
      args: options({
        account: text(undefined, 'NAME, or NAME@DOMAIN when there are several domains', { max: 3071 }),
        domain: text(undefined, 'All accounts of a domain'),
        all: flag(false, 'All accounts of all domains'),
      }),
      places: ['account'],
      async run({ account, domain, all }, at) {
        if ([account, domain, all || undefined].filter((one) => one !== undefined).length !== 1)
          throw new CommandError('name one account, or --domain DOMAIN, or --all')
        const which =
          account !== undefined
            ? [exportedOf(server(), account, at)]
            : (all ? server().domains : [servedDomain(domain!, server())]).map((name) =>
                wholeDomain(server(), name),
              )
        return writeOut(await Promise.all(which), filesOf(at.files))
      },
    }),
    declare({
      name: 'user import',
      role: 'admin',
      local: 'reads',
      slow: true,
      summary: 'Read accounts from a file of another server; what is here already stays as it is',
      args: options({
        file: text(required, 'A file as XEP-0227 describes it; - is standard input'),
        dryRun: flag(false, 'Read all, say what is wrong with it, change nothing'),
      }),
      async run({ file, dryRun }, at) {
        const files = filesOf(at.files)
        const destination = dryRun ? dryDestination(server(), files) : destinationIn(server(), files)
        return told(await importFiles(file, destination, { dry: dryRun }), dryRun)
      },
    }),
  ]
}

function filesOf(files: FilesOfCaller | undefined): FilesOfCaller {
  if (!files) throw new CommandError('there are no files here', 'use the command line')
  return files
}

async function exportedOf(
  server: AdminServices,
  written: string,
  at: Parameters<typeof changeable>[2],
): Promise<Exported> {
  const { account, jid } = await changeable(written, server, at)
  return {
    domain: jid.domain,
    portable: server.keeper(jid.domain).portable(),
    async *accounts() {
      yield account
    },
  }
}

async function wholeDomain(server: AdminServices, domain: string): Promise<Exported> {
  return {
    domain,
    portable: server.keeper(domain).portable(),
    accounts: () => allAccounts(server.accounts, domain),
  }
}

async function* allAccounts(accounts: Accounts, domain: string): AsyncIterable<Account> {
  let after: string | undefined
  for (;;) {
    const page = await accounts.list(domain, { limit: 100, ...(after === undefined ? {} : { after }) })
    yield* page
    after = page.at(-1)?.local
    if (page.length < 100) return
  }
}

async function writeOut(which: readonly Exported[], files: FilesOfCaller): Promise<CommandResult> {
  const count: ExportCount = { accounts: 0, elements: 0 }
  let block = ''
  for await (const piece of exportFile(which, count)) {
    block += piece
    if (block.length < BLOCK) continue
    await files.write(block)
    block = ''
  }
  await files.write(block)
  return {
    data: count,
    text: `Written: ${counted(count.accounts, 'account')}, ${counted(count.elements, 'element')}. Keep the file safe: with it one can log in.`,
  }
}

function destinationIn(server: AdminServices, files: FilesOfCaller): Destination {
  const keeper = ({ domain }: Account) => server.keeper(domain)
  return {
    portable: (domain) => (server.domains.includes(domain) ? server.keeper(domain).portable() : undefined),
    account: (domain, local, keys, at) => server.keeper(domain).importAccount(local, keys, at),
    setKeys: (account, keys) => server.accounts.setKeys(account.id, keys),
    setPassword: (account, password) =>
      withPassword(password, (usable) => keeper(account).setPassword(account, usable)),
    disable: (account, reason, at) => server.accounts.disable(account.id, reason, at),
    open: (file) => files.read(file),
  }
}

/** Changes nothing. */
function dryDestination(server: AdminServices, files: FilesOfCaller): Destination {
  const nothing = async () => undefined
  return {
    ...destinationIn(server, files),
    async account(domain, local, keys) {
      const account = await server.accounts.get(domain, local)
      const made = { id: 0, domain, local, keys, disabled: undefined, role: undefined, createdAt: 0 }
      return { account: account ?? made, isNew: account === undefined }
    },
    setKeys: nothing,
    setPassword: nothing,
    disable: nothing,
  }
}

function told({ made, there, elements, problems, problemCount }: ImportReport, dry: boolean): CommandResult {
  const counts = [...elements].sort(([a], [b]) => (a < b ? -1 : 1))
  const rows = [
    ['accounts made', made],
    ['accounts that were there', there],
    ...counts,
    ['not taken', problemCount],
  ].map((row) => row.map(String))
  const more = problemCount > problems.length ? [`and ${problemCount - problems.length} more`] : []
  const heading = dry ? ['Nothing was changed: this was only a look.'] : []
  return {
    data: {
      made,
      there,
      elements: Object.fromEntries(counts),
      problems,
      problem_count: problemCount,
      dry_run: dry,
    },
    table: { columns: [], rows },
    ...(heading.length + problems.length > 0 ? { text: [...heading, ...problems, ...more].join('\n') } : {}),
    problem: problemCount > 0,
  }
}
