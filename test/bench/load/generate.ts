/** Runs a job in a generator's process of its own and reads its outcome. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Job, Outcome } from './job.js'

/** No load takes longer, whatever happens. */
const deadline = 600_000

export async function runJob(job: Job): Promise<Outcome> {
  const program = join(import.meta.dirname, 'generator.js')
  try {
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, [program, JSON.stringify(job)], { timeout: deadline })
    return JSON.parse(stdout) as Outcome
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : ''
    throw new Error(`${job.load}: ${said === '' ? 'the generator took too long' : said}`, { cause: error })
  }
}
