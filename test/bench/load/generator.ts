/** The generator's process: runs the one job in its argument and prints the outcome as JSON. */
import type { Target } from './client.js'
import type { Job, LoadName } from './job.js'
import { loads } from './loads.js'

const job = JSON.parse(process.argv[2] ?? '') as Job
const mechanism = job.load === ('login-sha256' satisfies LoadName) ? 'SCRAM-SHA-256' : 'SCRAM-SHA-1'
const target: Target = { port: job.port, domain: job.domain, mechanism, keys: new Map(), tokens: new Map() }
try {
  console.log(JSON.stringify(await loads[job.load].run(job, target)))
  process.exit(0)
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
}
