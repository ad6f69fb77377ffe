/** `[limits]`: every bound on what peers and clients may do, with its default. */
import { duration, number, options, rate, size } from '../base/schema.js'

const off = { off: true } as const
const onConnect = { reload: 'new connections' } as const

export const limits = options(
  {
    c2sStanzaSize: size('256KiB', 'The largest stanza a client may send.', {
      min: '10000B',
      ...off,
      ...onConnect,
    }),
    preauthSize: size('10000B', 'The largest element before login.', { min: '1000B', ...off, ...onConnect }),
    preauthElements: number(64, 'Elements a client may send before it is logged in.', {
      min: 8,
      ...off,
      ...onConnect,
    }),
    depth: number(128, 'Elements inside elements of one stanza.', { min: 16, max: 1000, ...onConnect }),
    elements: number(10_000, 'Elements in one stanza.', { min: 100, ...off, ...onConnect }),
    attributes: number(512, 'Attributes on one element.', { min: 16, ...off, ...onConnect }),
    namespaces: number(256, 'Namespaces declared in one stanza.', { min: 16, ...off, ...onConnect }),
    loginTimeout: duration('30s', 'Time from connecting to being logged in.', {
      min: '1s',
      ...off,
      ...onConnect,
    }),
    c2sRate: rate('20KB/s', 'What a client may send in the long run; a faster one is read more slowly.', {
      bytes: true,
      ...off,
      ...onConnect,
    }),
    c2sBurst: size('512KB', 'What a client may send at once before c2s_rate holds.', {
      min: '10000B',
      ...onConnect,
    }),
    c2sStanzaRate: rate('50/s', 'Stanzas from a client in the long run.', { ...off, ...onConnect }),
    c2sStanzaBurst: number(500, 'Stanzas from a client at once before c2s_stanza_rate holds.', {
      min: 1,
      ...onConnect,
    }),
    loginFailures: number(5, 'Failed logins on one stream before it is closed.', {
      min: 1,
      ...off,
      ...onConnect,
    }),
    lockoutFailures: number(
      20,
      'Failed logins from one address to one account before more are refused for a while.',
      {
        min: 1,
        ...off,
        ...onConnect,
      },
    ),
    lockoutTime: duration('1h', 'How long they are refused.', { min: '1s', ...onConnect }),
    sessionsPerAccount: number(
      10,
      'Devices of one account that may be connected; one more is refused until another leaves.',
      {
        min: 1,
        ...off,
        ...onConnect,
      },
    ),
    connectionsPerAddress: number(50, 'Connections from one address that are not logged in yet.', {
      min: 1,
      ...off,
      ...onConnect,
    }),
    connectionRate: rate('20/s', 'New connections from one address in the long run.', {
      ...off,
      ...onConnect,
    }),
    connectionBurst: number(100, 'New connections from one address at once.', { min: 1, ...onConnect }),
    offlineMessages: number(1000, 'Messages kept for an account that is not connected.', off),
    offlineSize: size('10MiB', 'Size of the messages kept for an account that is not connected.', off),
    rosterSize: number(5000, 'Contacts in one roster.', { min: 1, ...off }),
    writePause: size('1MiB', 'A client that leaves this much unread is not read from until it catches up.', {
      min: '64KiB',
      ...off,
      ...onConnect,
    }),
    writeQueue: size('4MiB', 'A client that leaves this much unread is disconnected.', {
      min: '256KiB',
      ...off,
      ...onConnect,
    }),
    writeTimeout: duration(
      '60s',
      'A client that reads nothing for so long while data waits is disconnected.',
      {
        min: '1s',
        ...off,
        ...onConnect,
      },
    ),
    smQueue: number(
      1000,
      'Stanzas that a client may leave unacknowledged; more wait until it acknowledges.',
      {
        min: 50,
        ...onConnect,
      },
    ),
    smQueueSize: size('4MiB', 'Size of the stanzas that a client may leave unacknowledged.', {
      min: '256KiB',
      ...onConnect,
    }),
    smTime: duration('300s', 'How long a session whose connection broke waits for its client to come back.', {
      min: '10s',
      ...onConnect,
    }),
    smTimeMax: duration('24h', 'The longest time that a client may ask for instead.', {
      min: '10s',
      ...onConnect,
    }),
    parkedSessions: number(
      10,
      'Sessions of one account that wait for their clients to come back; of more the oldest ends.',
      { min: 1, ...onConnect },
    ),
    idlePing: duration('5min', 'A client silent for so long is asked whether it is still there.', {
      min: '10s',
      ...off,
      ...onConnect,
    }),
    s2sStanzaSize: size('512KiB', 'The largest stanza another server may send.', {
      min: '10000B',
      ...off,
      ...onConnect,
    }),
    s2sRate: rate('200KB/s', 'What one stream of another server may send in the long run.', {
      bytes: true,
      ...off,
      ...onConnect,
    }),
    s2sBurst: size('2MB', 'What one stream of another server may send at once before s2s_rate holds.', {
      min: '512KiB',
      ...onConnect,
    }),
    s2sQueue: number(1000, 'Stanzas that wait for one other domain; more are refused.', {
      min: 1,
      ...onConnect,
    }),
    s2sQueueSize: size('4MiB', 'Size of the stanzas that wait for one other domain.', {
      min: '64KiB',
      ...onConnect,
    }),
    s2sRetryMax: duration(
      '300s',
      'The longest pause between attempts to reach another server; the first is 1 s.',
      {
        min: '1s',
        ...onConnect,
      },
    ),
    s2sMessageTimeout: duration(
      '5min',
      'How long a message waits for an unreachable server before its sender is told.',
      {
        min: '1s',
        ...onConnect,
      },
    ),
    s2sIqTimeout: duration(
      '60s',
      'How long an iq waits for an unreachable server before its sender is told.',
      {
        min: '1s',
        ...onConnect,
      },
    ),
    s2sConnectTimeout: duration(
      '30s',
      'Time for one attempt to reach another server, from DNS to authentication.',
      {
        min: '1s',
        ...onConnect,
      },
    ),
    s2sIdle: duration('10min', 'A stream to another server without stanzas for so long is closed.', {
      min: '10s',
      ...off,
      ...onConnect,
    }),
    s2sDomains: number(100, 'Domains that may authenticate on one stream of another server.', {
      min: 1,
      ...onConnect,
    }),
    s2sDialbacks: number(10, 'Call backs under way at once for one stream of another server; more wait.', {
      min: 1,
      ...onConnect,
    }),
    s2sStreams: number(10_000, 'Streams from and to other servers.', { min: 1, ...off, ...onConnect }),
    memoryGuard: number(80, 'Percent of the memory limit of the process past which new logins are refused.', {
      min: 10,
      max: 100,
      ...off,
    }),
  },
  'What anyone may use up. "off" means no limit, where it is allowed.',
)
