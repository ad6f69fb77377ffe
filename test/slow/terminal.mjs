/** profanity in a terminal, typed into as by a person. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './server.mjs'

export class Terminal {
  #folder
  #name = `rooms-${process.pid}`

  constructor(folder) {
    this.#folder = folder
  }

  /** Starts profanity, with settings of its own. */
  async open(certificate) {
    const [config, data] = ['config', 'data'].map((name) => join(this.#folder, 'prof', name))
    mkdirSync(join(config, 'profanity'), { recursive: true })
    mkdirSync(data, { recursive: true })
    writeFileSync(
      join(config, 'profanity/profrc'),
      '[ui]\nsplash=false\n[connection]\nreconnect=0\n[chatstates]\nenabled=false\n',
    )
    const env = `env SSL_CERT_FILE='${certificate}' XDG_CONFIG_HOME='${config}' XDG_DATA_HOME='${data}'`
    this.#tmux('new-session', '-d', '-x', '180', '-y', '50', `${env} profanity -l ERROR`)
    await this.sees('Profanity')
  }

  types(line) {
    this.#tmux('send-keys', '-l', line)
    this.#tmux('send-keys', 'Enter')
  }

  sees(...texts) {
    const all = () => texts.every((text) => this.screen().includes(text))
    return until(`'${texts.join("', '")}' on the screen`, 40, all).catch((error) => {
      throw new Error(`${error.message}:\n${this.screen()}`)
    })
  }

  screen() {
    return this.#tmux('capture-pane', '-p').replace(/^\s*\n/gm, '')
  }

  close() {
    try {
      this.#tmux('kill-server')
    } catch {
      // It has ended by itself.
    }
  }

  #tmux(...args) {
    const env = { ...process.env, TMUX_TMPDIR: this.#folder, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8' }
    delete env.TMUX
    return execFileSync('tmux', ['-L', this.#name, '-f', '/dev/null', ...args], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }
}
