/** Every namespace, named once. */
export const NS = {
  // Namespaces in XML 1.0 §3
  xml: 'http://www.w3.org/XML/1998/namespace',
  xmlns: 'http://www.w3.org/2000/xmlns/',

  // RFC 6120
  streams: 'http://etherx.jabber.org/streams',
  client: 'jabber:client',
  server: 'jabber:server',
  streamErrors: 'urn:ietf:params:xml:ns:xmpp-streams',
  stanzaErrors: 'urn:ietf:params:xml:ns:xmpp-stanzas',
  tls: 'urn:ietf:params:xml:ns:xmpp-tls',
  sasl: 'urn:ietf:params:xml:ns:xmpp-sasl',
  bind: 'urn:ietf:params:xml:ns:xmpp-bind',

  // RFC 3921, RFC 6121
  session: 'urn:ietf:params:xml:ns:xmpp-session',
  roster: 'jabber:iq:roster',
  rosterVersioning: 'urn:xmpp:features:rosterver',
  preApproval: 'urn:xmpp:features:pre-approval',

  // RFC 7395
  framing: 'urn:ietf:params:xml:ns:xmpp-framing',

  // extensions, by number
  dataForms: 'jabber:x:data', // 0004
  lastActivity: 'jabber:iq:last', // 0012
  discoInfo: 'http://jabber.org/protocol/disco#info', // 0030
  discoItems: 'http://jabber.org/protocol/disco#items', // 0030
  muc: 'http://jabber.org/protocol/muc', // 0045
  mucUser: 'http://jabber.org/protocol/muc#user', // 0045
  mucAdmin: 'http://jabber.org/protocol/muc#admin', // 0045
  selfPing: 'http://jabber.org/protocol/muc#self-ping-optimization', // 0410
  mucOwner: 'http://jabber.org/protocol/muc#owner', // 0045
  hats: 'urn:xmpp:hats:0', // 0317
  mucAffiliations: 'urn:xmpp:muc:affiliations:1', // 0463
  mucStableId: 'http://jabber.org/protocol/muc#stable_id', // 0045
  mucRoomConfig: 'http://jabber.org/protocol/muc#roomconfig', // 0045, FORM_TYPE
  mucRoomInfo: 'http://jabber.org/protocol/muc#roominfo', // 0045, FORM_TYPE
  mucRooms: 'http://jabber.org/protocol/muc#rooms', // 0045
  mucTraffic: 'http://jabber.org/protocol/muc#traffic', // 0045
  mucUnique: 'http://jabber.org/protocol/muc#unique', // 0307
  storedBookmarks: 'storage:bookmarks', // 0048
  privateXml: 'jabber:iq:private', // 0049
  adHoc: 'http://jabber.org/protocol/commands', // 0050
  administration: 'http://jabber.org/protocol/admin', // 0133
  externalServices: 'urn:xmpp:extdisco:2', // 0215
  search: 'jabber:iq:search', // 0055
  portable: 'urn:xmpp:pie:0', // 0227
  portableScram: 'urn:xmpp:pie:0#scram',
  portableArchive: 'urn:xmpp:pie:0#mam',
  ownPortable: 'urn:x-parley:account', // what else moves with an account
  include: 'http://www.w3.org/2001/XInclude',
  vcard: 'vcard-temp', // 0054
  resultSets: 'http://jabber.org/protocol/rsm', // 0059
  pubsub: 'http://jabber.org/protocol/pubsub', // 0060
  pubsubEvent: 'http://jabber.org/protocol/pubsub#event', // 0060
  pubsubErrors: 'http://jabber.org/protocol/pubsub#errors', // 0060
  pubsubOwner: 'http://jabber.org/protocol/pubsub#owner', // 0060
  publishOptions: 'http://jabber.org/protocol/pubsub#publish-options', // 0060
  oob: 'jabber:x:oob', // 0066
  registration: 'jabber:iq:register', // 0077
  registrationFeature: 'http://jabber.org/features/iq-register', // 0077
  avatarData: 'urn:xmpp:avatar:data', // 0084
  avatarMetadata: 'urn:xmpp:avatar:metadata', // 0084
  chatStates: 'http://jabber.org/protocol/chatstates', // 0085
  version: 'jabber:iq:version', // 0092
  componentAccept: 'jabber:component:accept', // 0114
  caps: 'http://jabber.org/protocol/caps', // 0115
  caps2: 'urn:xmpp:caps', // 0390
  formValidation: 'http://jabber.org/protocol/xdata-validate', // 0122
  bosh: 'http://jabber.org/protocol/httpbind', // 0124
  xbosh: 'urn:xmpp:xbosh', // 0206
  bytestreams: 'http://jabber.org/protocol/bytestreams', // 0065
  jingle: 'urn:xmpp:jingle:1', // 0166
  blocking: 'urn:xmpp:blocking', // 0191
  blockingErrors: 'urn:xmpp:blocking:errors', // 0191
  reporting: 'urn:xmpp:reporting:1', // 0377
  streamManagement: 'urn:xmpp:sm:3', // 0198
  vcardUpdate: 'vcard-temp:x:update', // 0153
  ping: 'urn:xmpp:ping', // 0199
  time: 'urn:xmpp:time', // 0202
  delay: 'urn:xmpp:delay', // 0203
  dialback: 'jabber:server:dialback', // 0220
  dialbackFeature: 'urn:xmpp:features:dialback', // 0220
  attention: 'urn:xmpp:attention:0', // 0224
  conference: 'jabber:x:conference', // 0249
  bidi: 'urn:xmpp:bidi', // 0288
  bidiFeature: 'urn:xmpp:features:bidi', // 0288
  carbons: 'urn:xmpp:carbons:2', // 0280
  carbonsRules: 'urn:xmpp:carbons:rules:0', // 0280
  vcard4: 'urn:ietf:params:xml:ns:vcard-4.0', // 0292
  vcard4Node: 'urn:xmpp:vcard4', // 0292
  forward: 'urn:xmpp:forward:0', // 0297
  hashes: 'urn:xmpp:hashes:2', // 0300
  correction: 'urn:xmpp:message-correct:0', // 0308
  archive: 'urn:xmpp:mam:2', // 0313
  receipts: 'urn:xmpp:receipts', // 0184
  chatMarkers: 'urn:xmpp:chat-markers:0', // 0333
  hints: 'urn:xmpp:hints', // 0334
  clientState: 'urn:xmpp:csi:0', // 0352
  jingleMessages: 'urn:xmpp:jingle-message:0', // 0353
  push: 'urn:xmpp:push:0', // 0357
  stanzaIds: 'urn:xmpp:sid:0', // 0359
  httpUpload: 'urn:xmpp:http:upload:0', // 0363
  references: 'urn:xmpp:reference:0', // 0372
  encryption: 'urn:xmpp:eme:0', // 0380
  bind2: 'urn:xmpp:bind:0', // 0386
  sasl2: 'urn:xmpp:sasl:2', // 0388
  avatarConversion: 'urn:xmpp:pep-vcard-conversion:0', // 0398
  bookmarks: 'urn:xmpp:bookmarks:1', // 0402
  retraction: 'urn:xmpp:message-retract:1', // 0424
  moderation: 'urn:xmpp:message-moderate:1', // 0425
  bookmarksCompat: 'urn:xmpp:bookmarks:1#compat', // 0402
  bookmarksCompatPep: 'urn:xmpp:bookmarks:1#compat-pep', // 0402
  bookmarksConversion: 'urn:xmpp:bookmarks-conversion:0', // 0411
  occupantId: 'urn:xmpp:occupant-id:0', // 0421
  channelSearch: 'urn:xmpp:channel-search:0:search', // 0433
  channelOrder: '{urn:xmpp:channel-search:0:order}', // 0433
  channelAnonymity: 'urn:xmpp:channel-search:0:anonymity', // 0433
  channelErrors: 'urn:xmpp:channel-search:0:error', // 0433
  roomActivity: 'urn:xmpp:rai:0', // 0437
  channelBinding: 'urn:xmpp:sasl-cb:0', // 0440
  fullText: 'urn:xmpp:fulltext:0', // 0431
  reactions: 'urn:xmpp:reactions:0', // 0444
  mentions: 'urn:xmpp:mmn:0', // 0452
  replies: 'urn:xmpp:reply:0', // 0461
  streamLimits: 'urn:xmpp:stream-limits:0', // 0478
  saslUpgrade: 'urn:xmpp:sasl:upgrade:0', // 0480
  scramUpgrade: 'urn:xmpp:scram-upgrade:0', // 0480
  fast: 'urn:xmpp:fast:0', // 0484
  serverInfo: 'urn:xmpp:serverinfo:0', // 0485
  displayed: 'urn:xmpp:mds:displayed:0', // 0490
  displayedAssist: 'urn:xmpp:mds:server-assist:0', // 0490
  pipelining: 'urn:xmpp:iap:0', // 0509
  callInvites: 'urn:xmpp:call-invites:0', // 0482
  notificationSettings: 'urn:xmpp:notification-settings:1', // 0492
} as const
