/** The management listener: metrics and health over HTTP, for machines on this machine. Nothing secret, nothing that changes. */
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Metrics } from '../base/metrics.js'
import type { Address } from '../base/schema.js'

export interface ManagementSettings {
  readonly addresses: readonly Address[]
  readonly metrics: Metrics
  /** Whether the server can serve; `reasons` say why not. Asked for by /readyz. */
  readiness(): Promise<Readiness> | Readiness
}

export interface Readiness {
  readonly ready: boolean
  readonly reasons: readonly string[]
}

export interface Management {
  /** Where it really listens: a port of 0 was replaced. */
  readonly addresses: readonly Address[]
  close(): Promise<void>
}

/** Listens on every address. Rejects with the error of the first that cannot be had, having released the others. */
export async function startManagement(settings: ManagementSettings): Promise<Management> {
  const servers: Server[] = []
  const close = async () => {
    await Promise.all(servers.map(closed))
  }
  try {
    for (const address of settings.addresses) {
      const server = createServer((request, response) => {
        void answer(request, response, settings)
      })
      server.requestTimeout = 10_000
      server.headersTimeout = 5000
      server.keepAliveTimeout = 5000
      server.maxConnections = 100
      servers.push(server)
      await listening(server, address)
    }
  } catch (error) {
    await close()
    throw error
  }
  const addresses = servers.map((server) => {
    const { address, port } = server.address() as AddressInfo
    return { host: address, port }
  })
  return { addresses, close }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  settings: ManagementSettings,
): Promise<void> {
  const path = (request.url ?? '').split('?')[0] ?? ''
  const handler = handlers.get(path)
  if (!handler) return reply(response, request, 404, 'not found\n')
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD')
    return reply(response, request, 405, 'method not allowed\n')
  }
  try {
    const { status, text, type } = await handler(settings)
    reply(response, request, status, text, type)
  } catch {
    // The reason stays inside: whoever asks here may be anyone on this machine.
    reply(response, request, 500, 'internal error\n')
  }
}

interface Reply {
  readonly status: number
  readonly text: string
  readonly type?: string
}

const handlers = new Map<string, (settings: ManagementSettings) => Reply | Promise<Reply>>([
  [
    '/metrics',
    async ({ metrics }) => ({ status: 200, text: await metrics.text(), type: metrics.contentType }),
  ],
  // An answer at all says that the process runs and its event loop turns.
  ['/healthz', () => ({ status: 200, text: 'ok\n' })],
  [
    '/readyz',
    async (settings) => {
      const { ready, reasons } = await settings.readiness()
      return ready
        ? { status: 200, text: 'ready\n' }
        : { status: 503, text: `not ready\n${reasons.map((reason) => `${reason}\n`).join('')}` }
    },
  ],
])

function reply(
  response: ServerResponse,
  request: IncomingMessage,
  status: number,
  text: string,
  type = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  })
  response.end(request.method === 'HEAD' ? undefined : text)
}

function listening(server: Server, { host, port }: Address): Promise<void> {
  return new Promise((ready, failed) => {
    server.once('error', failed)
    server.listen({ host, port }, () => {
      server.off('error', failed)
      ready()
    })
  })
}

function closed(server: Server): Promise<void> {
  return new Promise((done) => {
    server.close(() => done())
    server.closeAllConnections()
  })
}
