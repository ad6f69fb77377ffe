// Installs what is missing and compiles what has changed; `npm start` and `npm test` run it first.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const top = join(dirname(fileURLToPath(import.meta.url)), '..')
const [major, minor] = process.versions.node.split('.').map(Number)
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Parley needs Node.js 20.19 or newer; this is ${process.versions.node}.\n  fix  install the current LTS of Node.js`,
  )
  process.exit(1)
}

const run = (command, args) => {
  const { status, error } = spawnSync(command, args, { cwd: top, stdio: 'inherit' })
  if (error) console.error(String(error))
  if (status !== 0) process.exit(1)
}
const time = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0)
const newest = (folder) =>
  readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((latest, entry) => Math.max(latest, time(join(entry.parentPath ?? entry.path, entry.name))), 0)

const installed = join(top, 'node_modules/.package-lock.json')
if (time(installed) < time(join(top, 'package-lock.json')) && !sameLock()) {
  console.log('Installing packages ...')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
}

const built = join(top, 'dist/.built')
const sources = Math.max(
  newest(join(top, 'src')),
  newest(join(top, 'test')),
  time(join(top, 'tsconfig.json')),
  time(installed),
)
if (time(built) < sources) {
  console.log('Building ...')
  rmSync(join(top, 'dist'), { recursive: true, force: true })
  run(process.execPath, [join(top, 'node_modules/typescript/bin/tsc'), '-p', top])
  // npx does so only the first time.
  chmodSync(join(top, 'dist/src/main.js'), 0o755)
  run(process.execPath, ['-e', `require('fs').writeFileSync(${JSON.stringify(built)}, '')`])
}

/** A checkout can touch the lock file without changing it: compare the versions that npm wrote down. */
function sameLock() {
  if (!existsSync(installed)) return false
  const packagesOf = (file) => JSON.parse(readFileSync(file, 'utf8')).packages
  const wanted = packagesOf(join(top, 'package-lock.json'))
  const here = packagesOf(installed)
  return Object.entries(wanted).every(
    ([path, { version, optional, os, cpu }]) =>
      path === '' || here[path]?.version === version || (optional && (os || cpu)),
  )
}
