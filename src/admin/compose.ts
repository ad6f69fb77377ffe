/** The Compose file of a server: parley and its PostgreSQL, unprivileged, on a read-only root, secrets from files. */

export interface ComposeSettings {
  /** Comment lines at the top, without their marks. */
  readonly heading: readonly string[]
  readonly image: string
  /** Whether the image is built from the folder of the file. */
  readonly build?: boolean
  /** `UID:GID` of the server; everything in `data` and `secrets` is readable for it. */
  readonly user: string
  /** A configuration file beside this one; undefined: the environment says it all, the domain is a variable. */
  readonly config?: string
  /** Where its data is: a folder beside this file (`./data`), or a named volume. */
  readonly data: string
  /** A folder with the certificate, as a path of the host; undefined: a hint how to give one. */
  readonly certificates?: string | undefined
  /** Whether PostgreSQL is a service of this file. */
  readonly database: boolean
  /** Whether the password of the database is in secrets/database_password. */
  readonly password: boolean
}

/** Where the container finds the configuration and the certificates. */
export const configInside = '/etc/parley/parley.toml'
export const certificatesInside = '/certs'
export const passwordInside = '/run/secrets/database_password'
/** The database in this file. */
export const databaseInside = 'postgres://parley@database/parley'

export function composeFile(settings: ComposeSettings): string {
  const { heading, database, password, data } = settings
  const named = [...(data.startsWith('.') ? [] : [data]), ...(database ? ['database'] : [])]
  const parts = [
    heading.map((line) => (line === '' ? '#' : `# ${line}`)).join('\n'),
    'name: parley\n',
    `services:\n${server(settings)}`,
    ...(database ? [postgres] : []),
    ...(named.length > 0 ? [`volumes:\n${named.map((name) => `  ${name}: {}\n`).join('')}`] : []),
    ...(password ? ['secrets:\n  database_password: { file: ./secrets/database_password }\n'] : []),
  ]
  return `${parts[0]}\n${parts.slice(1).join('\n')}`
}

function server({
  image,
  build,
  user,
  config,
  data,
  certificates,
  database,
  password,
}: ComposeSettings): string {
  const environment =
    config === undefined
      ? [
          "PARLEY_DOMAIN: '${PARLEY_DOMAIN:-localhost}'",
          `PARLEY_DATABASE__URL: ${databaseInside}`,
          `PARLEY_DATABASE__PASSWORD_FILE: ${passwordInside}`,
          '# With a certificate of yours (it may be renewed while running), and the volume line below:',
          `# PARLEY_TLS__CERTIFICATE: ${certificatesInside}/fullchain.pem`,
          `# PARLEY_TLS__KEY: ${certificatesInside}/privkey.pem`,
        ]
      : [`PARLEY_CONFIG: ${configInside}`]
  const volumes = [
    `- ${data}:/data`,
    ...(config === undefined ? [] : [`- ${config}:${configInside}:ro`]),
    certificates === undefined
      ? `# - ./certs:${certificatesInside}:ro`
      : `- ${JSON.stringify(`${certificates}:${certificatesInside}:ro`)}`,
  ]
  return [
    '  parley:',
    `    image: ${image}`,
    ...(build ? ['    build: .'] : []),
    '    restart: unless-stopped',
    `    user: '${user}'`,
    '    read_only: true',
    "    tmpfs: ['/tmp:mode=1777,size=64m']",
    '    cap_drop: [ALL]',
    "    security_opt: ['no-new-privileges:true']",
    '    pids_limit: 256',
    '    # Longer than the server takes to tell its clients and to store what is under way.',
    '    stop_grace_period: 60s',
    '    ports:',
    ...['5222', '5223', '5269', '5270'].map((port) => `      - '${port}:${port}'`),
    '    environment:',
    ...environment.map((line) => `      ${line}`),
    '    volumes:',
    ...volumes.map((line) => `      ${line}`),
    ...(password ? ['    secrets: [database_password]'] : []),
    ...(database ? ['    depends_on:', '      database: { condition: service_healthy }'] : []),
    '    healthcheck:',
    "      test: ['CMD', 'parley', 'health']",
    '      interval: 15s',
    '      timeout: 5s',
    '      start_period: 60s',
    '      retries: 3',
    '    logging: &logging',
    '      driver: json-file',
    "      options: { max-size: 20m, max-file: '5' }",
    '',
  ].join('\n')
}

const postgres = `  database:
    image: docker.io/library/postgres:18
    restart: unless-stopped
    cap_drop: [ALL]
    # What its entry point needs to hand the data to the user postgres.
    cap_add: [CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID]
    security_opt: ['no-new-privileges:true']
    shm_size: 128mb
    stop_grace_period: 60s
    environment:
      POSTGRES_USER: parley
      POSTGRES_DB: parley
      POSTGRES_PASSWORD_FILE: ${passwordInside}
    volumes:
      - database:/var/lib/postgresql
    secrets: [database_password]
    healthcheck:
      # Over TCP: while the image prepares a new database, it listens on the socket only.
      test: ['CMD', 'pg_isready', '-h', '127.0.0.1', '-U', 'parley', '-d', 'parley']
      interval: 5s
      timeout: 5s
      start_period: 30s
      retries: 5
    logging: *logging
`
