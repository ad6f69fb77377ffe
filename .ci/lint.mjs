// Lints and checks the layout; with --write the formatter repairs it. Installs its two tools beside itself at first.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const top = join(here, '..')
const env = { ...process.env, OXLINT_TSGOLINT_PATH: join(here, 'node_modules/.bin/tsgolint') }
const run = (command, args, cwd = top) => {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit', env })
  if (status !== 0) process.exit(status ?? 1)
}
if (!existsSync(join(here, 'node_modules/.bin/oxlint'))) {
  run('npm', ['install', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'], here)
}
const tool = (name) => join(here, 'node_modules/.bin', name)
if (process.argv.includes('--write')) run(tool('oxfmt'), ['src', 'test'])
else {
  run(tool('oxlint'), ['--type-aware'])
  run(tool('oxfmt'), ['--check', 'src', 'test'])
}
