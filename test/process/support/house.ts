/** One server and its accounts, for the tests of a file: there before the first, gone after the last, with nothing left behind. */
import assert from 'node:assert/strict'
import { after, before } from 'node:test'
import { Client } from './client.js'
import { leftIn, Parley, temporaryFolder, type Launch } from './server.js'

export class House {
  server!: Parley
  #folder = ''

  /** Begins and ends with the file that makes it; `accounts` have their names as passwords. */
  constructor(accounts: readonly string[], launch: Omit<Launch, 'folder'> = {}) {
    let remove = async (): Promise<void> => {}
    before(async () => {
      const folder = await temporaryFolder()
      this.#folder = folder.path
      remove = () => folder.remove()
      await this.startAgain(launch)
      await Promise.all(accounts.map((account) => this.server.add(account)))
    })
    after(async () => {
      const { code } = await this.server.stop()
      assert.deepEqual([code, await leftIn(this.#folder)], [0, []])
      await remove()
    })
  }

  /** On what the one before has left. */
  async startAgain(launch: Omit<Launch, 'folder'> = {}): Promise<void> {
    this.server = await Parley.start({ folder: this.#folder, ...launch })
  }

  /** Over STARTTLS, with the certificate verified. */
  login(name: string): Promise<Client> {
    return Client.login({
      port: this.server.port('STARTTLS'),
      trust: this.server.certificate().pem,
      account: `${name}@localhost`,
    })
  }
}
