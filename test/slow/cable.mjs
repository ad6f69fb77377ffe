/** A network of one cable to a port of this machine, which can be pulled. */
import { connect, createServer } from 'node:net'

export class Cable {
  #server
  #ends = new Set()
  #isPulled = false

  /** Leads to that port of 127.0.0.1; has a `port` of its own. */
  static async lay(port) {
    const cable = new Cable()
    cable.#server = createServer((near) => {
      if (cable.#isPulled) return near.destroy()
      const far = connect({ host: '127.0.0.1', port })
      for (const end of [near, far]) {
        cable.#ends.add(end)
        end.on('error', () => {}).once('close', () => cable.#ends.delete(end))
      }
      near.pipe(far)
      far.pipe(near)
      near.once('close', () => far.destroy())
      far.once('close', () => near.destroy())
    })
    await new Promise((resolve) => cable.#server.listen(0, '127.0.0.1', resolve))
    cable.port = cable.#server.address().port
    return cable
  }

  /** Whoever is connected is so no more, and nobody gets through. */
  pull() {
    this.#isPulled = true
    for (const end of this.#ends) end.destroy()
  }

  plug() {
    this.#isPulled = false
  }

  async remove() {
    this.pull()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
