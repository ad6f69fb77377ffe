/** A thread of its own that pings the server all the time, and tells how long the answers took. */
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { Client, type Target } from './client.js'
import { Latencies } from './job.js'
import type { Beside } from './traffic.js'

export interface PingerData {
  readonly target: Omit<Target, 'keys' | 'tokens'>
  readonly user: string
}

interface Report {
  readonly ping: number
  readonly slowest: number
}

export class Pinger implements Beside {
  readonly #worker: Worker

  private constructor(worker: Worker) {
    this.#worker = worker
  }

  /** Logs `user` in and begins. */
  static async start({ port, domain, mechanism }: Target, user: string): Promise<Pinger> {
    const data: PingerData = { target: { port, domain, mechanism }, user }
    const pinger = new Pinger(new Worker(new URL(import.meta.url), { workerData: data }))
    await pinger.#told()
    return pinger
  }

  /** Of the pings since this was asked last: the 99th percentile and the slowest one, in milliseconds. */
  async figures(): Promise<Readonly<Record<string, number>>> {
    this.#worker.postMessage('figures')
    return { ...(await this.#told()) }
  }

  async stop(): Promise<void> {
    await this.#worker.terminate()
  }

  #told(): Promise<Report> {
    return new Promise((resolve, reject) => {
      this.#worker.once('error', reject)
      this.#worker.once('message', (report: Report) => {
        this.#worker.off('error', reject)
        resolve(report)
      })
    })
  }
}

const between = 2

async function ping(
  { target, user }: PingerData,
  tell: (report: Report) => void,
  asked: (report: () => void) => void,
) {
  const client = new Client({ ...target, keys: new Map(), tokens: new Map() }, user)
  await client.login()
  const latencies = new Latencies()
  const report = () => {
    tell({ ping: latencies.quantile(0.99), slowest: latencies.quantile(1) })
    latencies.reset()
  }
  asked(report)
  report()
  for (let count = 0; ; count++) {
    const began = performance.now()
    const id = `ping${count}`
    await client.ask(`<iq type='get' to='${target.domain}' id='${id}'><ping xmlns='urn:xmpp:ping'/></iq>`, id)
    latencies.add(performance.now() - began)
    await new Promise((resolve) => setTimeout(resolve, between))
  }
}

if (parentPort) {
  const port = parentPort
  await ping(
    workerData as PingerData,
    (report) => port.postMessage(report),
    (report) => port.on('message', report),
  )
}
