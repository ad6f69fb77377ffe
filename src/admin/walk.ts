/** `parley s2s test`: the whole way to another server and back, step by step, and what to do where it ends. */
import type { CommandResult } from '../host/command.js'
import { adviceOn } from '../s2s/advice.js'
import type { ProbeStep, Side } from '../s2s/facts.js'
import { StanzaError } from '../stanza/errors.js'
import type { AdminServices } from './commands.js'
import { printRows } from './print.js'

/** Milliseconds for the answer to a ping, which needs a stream of theirs to us. */
const pingPatience = 15_000

interface Step {
  readonly name: string
  readonly ok: boolean
  readonly text: string
  /** Milliseconds that this step took. */
  readonly ms: number
}

/** Where the way ends, whose business that is, and what to do. */
interface Verdict {
  readonly side: Side
  readonly fix: string
}

const names: Readonly<Record<ProbeStep['stage'], string>> = {
  policy: 'policy',
  dns: 'dns',
  tcp: 'tcp',
  tls: 'tls',
  certificate: 'cert',
  auth: 'auth',
  stream: 'stream',
}

const sides: Readonly<Record<Side, string>> = {
  ours: 'OUR SIDE',
  theirs: 'THEIR SIDE',
  path: 'THE WAY BETWEEN',
}

export async function walk(server: AdminServices, local: string, remote: string): Promise<CommandResult> {
  const steps: Step[] = []
  const failure = (await probed(server, local, remote, steps)) ?? (await pinged(server, local, remote, steps))
  const rows = steps.map(({ name, ok, text, ms }, index) => [
    ` ${index + 1} ${name}`,
    ok ? 'ok' : 'FAIL',
    `${ms} ms`,
    text,
  ])
  const result = failure
    ? [
        [' result', `${sides[failure.side]}: ${steps.at(-1)?.text}`],
        [' fix', failure.fix],
      ]
    : [[' result', 'both directions work']]
  return {
    data: {
      domain: remote,
      from: local,
      ok: !failure,
      steps,
      side: failure?.side ?? null,
      fix: failure?.fix ?? null,
    },
    text: [...printRows(rows), ...printRows(result)].join('\n'),
    problem: failure !== undefined,
  }
}

/** The way there, on a stream of its own. */
async function probed(
  server: AdminServices,
  local: string,
  remote: string,
  steps: Step[],
): Promise<Verdict | undefined> {
  let before = 0
  let last: ProbeStep | undefined
  const ok = await server.federation.probe(local, remote, (step) => {
    last = step
    // That stanzas can flow is what the ping shows.
    if (step.stage === 'stream' && step.ok) return
    steps.push({ name: names[step.stage], ok: step.ok, text: step.text, ms: Math.round(step.ms - before) })
    before = step.ms
  })
  if (ok) return undefined
  const { side = 'path', trouble = 'ours', condition } = last ?? {}
  return { side, fix: adviceOn({ trouble, condition, remote, overridden: server.isOverridden(remote) }) }
}

/** The way there and back, as stanzas take it. */
async function pinged(
  server: AdminServices,
  local: string,
  remote: string,
  steps: Step[],
): Promise<Verdict | undefined> {
  const { federation, clock } = server
  const began = clock.now()
  const told = (ok: boolean, text: string) => steps.push({ name: 'ping', ok, text, ms: clock.now() - began })
  const answer = server.ping(local, remote, pingPatience)
  // What waits from before does not wait for its time now.
  federation.retry(remote)
  try {
    const condition = await answer
    if (!unsent.has(condition)) {
      const said = condition === 'answered' ? condition : `answered (${condition})`
      told(true, said + onWhichStream(server, local, remote))
      return undefined
    }
    told(false, `the ping came back: ${condition}`)
    return { side: 'path', fix: `parley s2s list --failing says why` }
  } catch (error) {
    if (!(error instanceof StanzaError)) throw error
  }
  const theirs = federation.links().filter((link) => link.dir === 'in' && link.remote === remote)
  if (theirs.some(({ state }) => state === 'open')) {
    told(false, 'no answer, though a stream of theirs is open')
    return { side: 'theirs', fix: `try again later; when it stays so, tell the admin of ${remote}` }
  }
  if (theirs.length > 0) {
    told(false, 'no answer: their stream to us is open and proves nothing')
    return { side: 'theirs', fix: 'lines s2s.in.refused in our log say what they tried' }
  }
  told(false, 'no answer: they take our stanzas, and no stream of theirs reaches us')
  return {
    side: 'ours',
    fix: `see that other servers find and reach us: parley dns check, and open TCP 5269 to the world`,
  }
}

/** XEP-0288: the answer may have come on our own stream, which says nothing of streams that they would open. */
function onWhichStream({ federation }: AdminServices, local: string, remote: string): string {
  const links = federation.links().filter((link) => link.remote === remote && link.local === local)
  const theyReachUs = links.some(
    ({ dir, state, auth }) => state === 'open' && (dir === 'in' || auth === 'dialback'),
  )
  return theyReachUs ? '' : ', on the stream that we opened: none of theirs was seen yet'
}

/** What our own road answers in the name of a domain that it cannot reach. */
const unsent = new Set([
  'remote-server-not-found',
  'remote-server-timeout',
  'not-allowed',
  'resource-constraint',
])
