/** What newcomers get wrong, and the tests that would fail if we did: checked by test/unit/coverage.test.ts. */

/** A test file without its ending, and a name of a test in it, or a part of one as its source has it. */
export type Proof = readonly [file: string, name: string]

export interface Behaviour {
  readonly number: number
  readonly says: string
  readonly proofs: readonly Proof[]
}

export const behaviours: readonly Behaviour[] = [
  {
    number: 1,
    says: 'RFC 6120 §4.7: every header has a fresh id, a domain of ours and a version, before an error too',
    proofs: [
      ['scenes/streams', 'RFC 6120 §4.7: our header has a fresh id, from, version and language'],
      ['scenes/streams', 'ends in ${condition}, after a header of ours'],
    ],
  },
  {
    number: 2,
    says: 'RFC 6120 §4.9.1.2: an error during set-up comes after a header and before the end',
    proofs: [['scenes/streams', 'ends in ${condition}, after a header of ours']],
  },
  {
    number: 3,
    says: 'RFC 6120 §4.9.3.6: a domain that is missing or not served is host-unknown',
    proofs: [
      ['scenes/streams', '§4.9.3.6: a domain that is not served'],
      ['scenes/streams', '§4.9.1.3: no domain at all'],
    ],
  },
  {
    number: 4,
    says: 'RFC 6120 §4.8: wrong namespaces and prefixes of the stream',
    proofs: [
      ['scenes/streams', '§4.9.3.10: a wrong stream namespace'],
      ['scenes/streams', '§4.8.2: a wrong content namespace'],
      ['scenes/streams', '§4.9.3.2: another prefix'],
    ],
  },
  {
    number: 5,
    says: 'RFC 6120 §4.9.3.13: what is not well-formed ends the stream, and none of it is delivered',
    proofs: [
      ['scenes/streams', '§4.9.3.13: a wrong end tag'],
      ['scenes/streams', 'ends the stream with ${condition}, and nothing of it is delivered'],
    ],
  },
  {
    number: 6,
    says: 'RFC 6120 §11.1: comments, processing instructions, DTDs and entities are restricted-xml',
    proofs: [
      ['scenes/streams', '§11.1: a comment'],
      ['scenes/streams', '§11.1: a processing instruction'],
      ['scenes/streams', '§11.1: a DTD'],
      ['scenes/streams', '§11.1: an entity nobody declared'],
    ],
  },
  {
    number: 7,
    says: 'RFC 6120 §4.9.3.24, §4.9.3.12: unknown children of the stream; stanzas before authentication',
    proofs: [
      ['scenes/streams', '§4.9.3.24: an element nobody knows'],
      ['scenes/streams', 'RFC 6120 §6.3: a stanza before authentication ends in not-authorized'],
      ['scenes/modules', 'XEP-0077: somebody makes an account, logs in'],
    ],
  },
  {
    number: 8,
    says: 'RFC 6120 §11.6: what is no UTF-8 ends the stream; a character cut by a read does not',
    proofs: [
      ['scenes/streams', '§11.6: bytes that are no UTF-8'],
      ['scenes/streams', 'RFC 6120 §11.6: a character cut by a read arrives whole'],
    ],
  },
  {
    number: 9,
    says: 'RFC 6120 §4.6.1: white space keeps a stream alive and is nothing else',
    proofs: [['scenes/streams', 'RFC 6120 §4.6.1: white space between stanzas keeps the stream alive']],
  },
  {
    number: 10,
    says: 'RFC 6120 §5.3.2, §5.4.3.3: after STARTTLS all begins anew, and plain text behind it is not read',
    proofs: [
      ['scenes/negotiation', 'RFC 6120 §5.3.1, §5.4.3.3: first TLS alone, afterwards a new stream'],
      ['scenes/negotiation', 'RFC 6120 §5.3.3: plain text behind the request for TLS'],
      ['unit/tls/listener', 'plain text sent before the handshake is not read as XML'],
    ],
  },
  {
    number: 11,
    says: 'RFC 6120 §5.3.1: TLS that is required is offered alone and says so',
    proofs: [
      ['scenes/negotiation', 'RFC 6120 §5.3.1, §5.4.3.3: first TLS alone, afterwards a new stream'],
      ['scenes/negotiation', 'RFC 6120 §6.5.4: a login without the required TLS is not looked at'],
    ],
  },
  {
    number: 12,
    says: 'RFC 6120 §4.4: the end is answered, what came before is served, nothing afterwards',
    proofs: [
      ['scenes/streams', 'RFC 6120 §4.4: the end is answered, what came before is served'],
      ['scenes/negotiation', 'RFC 6120 §4.4: nothing is read or written behind the end'],
      ['scenes/negotiation', 'RFC 6120 §4.4: a stream that ends ${state} is answered'],
    ],
  },
  {
    number: 13,
    says: 'RFC 6120 §7.7.2.2: never two sessions of one full address',
    proofs: [
      ['scenes/login', 'RFC 6120 §7.7.2.2: of two with one resource the older ends with conflict'],
      ['scenes/login', 'RFC 6120 §7.7.2.2: of two that bind one resource at once one stays'],
    ],
  },
  {
    number: 14,
    says: 'RFC 6120 §13.12, XEP-0478: stanzas over a limit, which is told and at least 10,000 bytes',
    proofs: [
      ['scenes/streams', 'RFC 6120 §13.12: a stanza just below the limit passes'],
      ['scenes/streams', 'RFC 6120 §13.12: one just above is refused'],
      ['scenes/streams', 'RFC 6120 §13.12: one without end is policy-violation'],
    ],
  },
  {
    number: 15,
    says: 'RFC 6120 §4.6: the silent are asked before they are given up',
    proofs: [
      ['scenes/streams', 'RFC 6120 §4.6.1: a silent client is pinged, then given up'],
      ['scenes/streams', 'RFC 6120 §4.6.1: a client that answers stays'],
    ],
  },
  {
    number: 16,
    says: 'RFC 6120 §4.9.3.20: a shutdown is told to every stream and every contact',
    proofs: [
      ['scenes/streams', 'RFC 6120 §4.9.3.20: at shutdown every stream is told'],
      ['process/start', 'SIGTERM: contacts hear of it, streams are told'],
    ],
  },
  {
    number: 17,
    says: 'RFC 5802 §3, §5.1, §9: nonces, order, the server signature, and unknown accounts that look like others',
    proofs: [
      ['unit/sasl/scram', 'byte by byte'],
      ['unit/sasl/scram', 'an unknown account gets a believable challenge'],
      ['unit/sasl/scram', 'lets in who knows the password and proves that the server does too'],
      ['unit/sasl/password', 'an account that does not exist costs the hash of one that does'],
    ],
  },
  {
    number: 18,
    says: 'RFC 5802 §6: channel binding',
    proofs: [
      ['unit/sasl/scram', '-PLUS binds to the connection'],
      ['unit/sasl/scram', 'a client that was hidden the -PLUS mechanisms is told so by failing'],
      ['unit/sasl/scram', 'a binding goes with -PLUS only, of an advertised type, over TLS'],
    ],
  },
  {
    number: 19,
    says: 'RFC 6120 §6.4.5: some more tries after a failure, then the end',
    proofs: [
      ['scenes/login', 'RFC 6120 §6.5: every failure by its name, and the stream stays'],
      ['scenes/login', 'RFC 6120 §6.4.5: after five failures the stream ends'],
    ],
  },
  {
    number: 20,
    says: 'RFC 6120 §6.5: each failure has its name',
    proofs: [
      ['scenes/login', 'RFC 6120 §6.5: every failure by its name'],
      ['scenes/login', 'RFC 6120 §6.4.4: an aborted exchange is over'],
      ['scenes/login', 'RFC 6120 §6.5.2: a disabled account is told so'],
      ['scenes/negotiation', 'RFC 6120 §6.5.4: a login without the required TLS'],
      ['scenes/negotiation', 'P8: while the store is away logins fail for now'],
    ],
  },
  {
    number: 21,
    says: 'RFC 6120 §6.4.2: an empty initial response, and none',
    proofs: [
      ['scenes/login', 'RFC 6120 §6.4.2: no initial response is asked for by an empty challenge'],
      ['scenes/login', 'RFC 4505: whoever comes without an account'],
    ],
  },
  {
    number: 22,
    says: 'RFC 7622 §3.3: names are prepared before they are looked up',
    proofs: [
      ['scenes/login', 'RFC 7622 §3.3: Romeo and romeo are one account'],
      ['unit/sasl/scram', 'a name is unescaped and prepared before the look-up'],
    ],
  },
  {
    number: 23,
    says: 'RFC 6120 §6.3.8: nobody acts as somebody else',
    proofs: [
      ['scenes/login', 'RFC 6120 §6.3.8: acting as somebody else is invalid-authzid'],
      ['unit/sasl/scram', 'the own bare JID may be named as authorization identity'],
    ],
  },
  {
    number: 24,
    says: 'RFC 6120 §7.1, §7.6.2.2: binding once, and nothing else before it',
    proofs: [
      ['scenes/login', 'RFC 6120 §7.6.2.2: one resource for one stream'],
      ['scenes/login', 'RFC 6120 §7.1: no stanzas between authentication and binding'],
    ],
  },
  {
    number: 25,
    says: 'RFC 6120 §7.6, §7.7: resources that the server makes, and those that are asked for',
    proofs: [
      ['scenes/login', 'RFC 6120 §7.6: without a wish the server makes a resource'],
      ['scenes/login', 'RFC 6120 §7.7: the resource asked for is prepared'],
      ['scenes/negotiation', 'RFC 6120 §7.7.2.3: two that ask for no resource get two'],
    ],
  },
  {
    number: 26,
    says: 'RFC 6121 appendix E: the session request of old clients',
    proofs: [
      ['scenes/modules', 'RFC 6121 appendix E: an old client establishes its session'],
      ['scenes/modules', 'what the modules add to the stream features'],
    ],
  },
  {
    number: 27,
    says: 'XEP-0388 §2.3, §2.6.1: inline requests, no new stream, a full JID with Bind 2',
    proofs: [
      ['scenes/sasl2', 'XEP-0388 §2.6.1: success names the account, features follow, the stream goes on'],
      ['scenes/sasl2', 'XEP-0386 §3.2: bound with success, and the session works'],
      ['scenes/sasl2', 'XEP-0198 §9.2: resumed in one step'],
      ['scenes/sasl2', 'XEP-0388 §2.6.2, RFC 6120 §6.5: every failure by its name'],
      ['scenes/sasl2', 'XEP-0388 §2.4: ${what} during an exchange ends the stream'],
      ['scenes/sasl2', 'RFC 6120 §6.4.5: failures of both profiles count together'],
    ],
  },
  {
    number: 28,
    says: 'XEP-0386 §3.2, XEP-0198 §9.1: the tag in the resource, features on before the first stanza',
    proofs: [
      ['scenes/sasl2', 'XEP-0386 §3.2.1: an installation has one resource for each tag'],
      ['scenes/sasl2', 'XEP-0386 §3.2: what reaches the session first comes behind success'],
      ['scenes/sasl2', 'XEP-0198 §9.1: stream management counts from success on'],
      ['scenes/sasl2', 'XEP-0386 §3.2, XEP-0313 §7: bound tells of the archive'],
    ],
  },
  {
    number: 29,
    says: 'XEP-0484 §3.4-§3.6: tokens with counters and mechanisms of their own, that can be taken away',
    proofs: [
      ['scenes/fast', 'XEP-0484 §3.4: a counter is used once'],
      ['scenes/fast', 'XEP-0484 §3.4: a token is good for the mechanism that it was asked for'],
      ['scenes/fast', 'XEP-0484 §3.6: a client takes its token back'],
      ['scenes/fast', 'A token is over by ${what}'],
      ['scenes/fast', 'Tokens survive a restart'],
      ['unit/sasl/ht', 'HT-SHA-256-${binding} binds to the connection'],
    ],
  },
  {
    number: 30,
    says: 'XEP-0178 §2: the account is the one in the certificate, and the authorization identity must be one of them',
    proofs: [
      ['scenes/external', 'RFC 6120 §6.3.4, XEP-0178 §2: who shows a certificate of an account'],
      ['scenes/external', 'XEP-0178 §2: of several accounts one is named'],
      ['scenes/external', 'XEP-0178 §2: not offered for a certificate that will not do'],
      ['unit/sasl/external', 'nobody gets in as somebody else'],
      ['unit/tls/accounts', 'nobody else vouches'],
      ['unit/tls/listener', "a client's certificate is ${asksClients"],
    ],
  },
  {
    number: 31,
    says: 'RFC 6120 §10.3: stanzas without to',
    proofs: [
      ['scenes/stanzas', 'RFC 6120 §10.3.1: a message without to is for the own account'],
      ['scenes/stanzas', 'RFC 6120 §10.3.3: a request without to is answered'],
      ['scenes/presence', 'RFC 6121 §4.2.2, §4.2.3: initial presence goes to subscribers'],
    ],
  },
  {
    number: 32,
    says: 'RFC 6120 §8.1.2.1: from is stamped, and a wrong one ends the stream',
    proofs: [
      ['scenes/stanzas', 'RFC 6120 §8.1.2.1: from is stamped; the own bare address is accepted'],
      ['scenes/stanzas', 'as from of romeo ends in invalid-from'],
      ['scenes/subscriptions', 'a request leaves from and goes to bare JIDs'],
    ],
  },
  {
    number: 33,
    says: 'RFC 6120 §8.1.2.1, §8.2.3: replies for the account come from its bare address with the id of the request',
    proofs: [
      ['scenes/stanzas', 'RFC 6121 §8.5.2.1.3: the own bare address is the account'],
      ['scenes/stanzas', 'RFC 6120 §10.3.3: a request without to is answered'],
    ],
  },
  {
    number: 34,
    says: 'RFC 6120 §8.3.1: no error in answer to an error or a result',
    proofs: [['scenes/stanzas', 'RFC 6120 §8.3.1: an error is never answered by an error']],
  },
  {
    number: 35,
    says: 'RFC 6120 §8.2.3: malformed requests are bad-request',
    proofs: [['scenes/stanzas', 'an iq is bad-request, and the stream goes on']],
  },
  {
    number: 36,
    says: 'RFC 6120 §8.4: exactly one reply to what nobody understands',
    proofs: [['scenes/stanzas', 'RFC 6120 §8.4: a request nobody understands gets exactly one error']],
  },
  {
    number: 37,
    says: 'RFC 6120 §8.2.3: stray results and errors are dropped',
    proofs: [['scenes/stanzas', 'RFC 6120 §8.2.3: a stray result or error for the server is dropped']],
  },
  {
    number: 38,
    says: 'RFC 6120 §8.4, §8.1.5: what is unknown travels unchanged',
    proofs: [
      ['scenes/stanzas', 'RFC 6120 §8.4: what we do not know travels unchanged'],
      ['scenes/stanzas', 'RFC 6120 §8.1.5: the language of the stream'],
    ],
  },
  {
    number: 39,
    says: 'RFC 6120 §10.1: order of arrival is order of sending',
    proofs: [
      ['scenes/stanzas', 'RFC 6120 §10.1: stanzas of one stream arrive in order'],
      ['scenes/offline', 'RFC 6120 §10.1: what arrives while kept messages go out'],
    ],
  },
  {
    number: 40,
    says: 'RFC 6120 §8.3.3.8: a malformed address costs its stanza, not the stream',
    proofs: [['scenes/stanzas', 'RFC 6120 §8.3.3.8: an address that is none is jid-malformed']],
  },
  {
    number: 41,
    says: 'RFC 7622 §3.2: spellings of a domain',
    proofs: [
      ['scenes/stanzas', 'RFC 7622 §3.2: every spelling of a domain is one domain'],
      ['unit/stanza/jid', 'xn--bcher-kva.example'],
      ['unit/stanza/jid', '[::1]'],
    ],
  },
  {
    number: 42,
    says: 'RFC 6120 §8.3.1, §8.3.2: type, from, to and id of a stanza error',
    proofs: [
      ['unit/stanza/errors', 'RFC 6120 §8.3.3: every condition has the type that the RFC gives it'],
      ['scenes/delivery', 'RFC 6121 §8.5.2.1.1: groupchat to a bare address is refused'],
    ],
  },
  {
    number: 43,
    says: 'RFC 6121 §8.5.1: nobody there, and no telling from somebody absent',
    proofs: [
      ['scenes/delivery', 'RFC 6121 §8.5.1: nobody and somebody absent give the same answer'],
      ['scenes/delivery', 'RFC 6121 §8.5.1: a message to nobody comes back'],
      ['scenes/subscriptions', 'RFC 6121 §8.5.1: a request to nobody looks like one'],
      ['scenes/hostile', 'RFC 6121 §8.5.1: a probe does not tell an account'],
      ['scenes/roster', 'whether there is one or not'],
    ],
  },
  {
    number: 44,
    says: 'RFC 6121 §8.5.2.1.1: chat and normal messages go to all resources that take messages',
    proofs: [
      [
        'scenes/delivery',
        'RFC 6121 §8.5.2.1.1: chat and normal go to all resources of non-negative priority',
      ],
    ],
  },
  {
    number: 45,
    says: 'RFC 6121 §8.5.2.1.1: to stays the bare address',
    proofs: [
      ['scenes/delivery', 'RFC 6121 §8.5.2.1.1: a message to the bare address reaches'],
      ['scenes/delivery', 'RFC 6121 §8.5.3.2.1: a chat message for a resource that is gone'],
    ],
  },
  {
    number: 46,
    says: 'RFC 6121 §8.5.2.1.1: headlines to all, and to nobody later',
    proofs: [['scenes/delivery', 'RFC 6121 §8.5.2.1.1: a headline goes to all that take messages']],
  },
  {
    number: 47,
    says: 'RFC 6121 §8.5.2.1.1: groupchat to a bare address is refused',
    proofs: [['scenes/delivery', 'RFC 6121 §8.5.2.1.1: groupchat to a bare address is refused']],
  },
  {
    number: 48,
    says: 'RFC 6121 §8.5.2.1.1: an error to a bare address is dropped',
    proofs: [
      [
        'scenes/delivery',
        'RFC 6121 §8.5.2.1.1: groupchat to a bare address is refused, an error for it is dropped',
      ],
    ],
  },
  {
    number: 49,
    says: 'RFC 6121 §8.5.2.1.1: negative priority takes no messages to the bare address',
    proofs: [
      [
        'scenes/delivery',
        'RFC 6121 §8.5.2.1.1: chat and normal go to all resources of non-negative priority',
      ],
      ['scenes/offline', 'XEP-0160 §2: a negative priority gets nothing'],
    ],
  },
  {
    number: 50,
    says: 'RFC 6121 §8.5.2.1, §8.5.3.1: resources without presence get only what names them',
    proofs: [
      [
        'scenes/delivery',
        'RFC 6121 §8.5.2.1.1: chat and normal go to all resources of non-negative priority',
      ],
      ['scenes/delivery', 'RFC 6121 §8.5.3.1: a connected resource gets all'],
    ],
  },
  {
    number: 51,
    says: 'RFC 6121 §8.5.2.2.1: nobody available: kept or refused, never lost',
    proofs: [
      ['scenes/offline', 'XEP-0160 §2: kept messages are delivered once'],
      ['scenes/offline', 'XEP-0160 §2: when there is no more room the sender is told'],
    ],
  },
  {
    number: 52,
    says: 'RFC 6121 §8.5.2.1.2: presence to a bare address',
    proofs: [
      ['scenes/presence', 'RFC 6121 §8.5.2.1.2, §8.5.3.2.2: presence for a resource that is gone'],
      ['scenes/subscriptions', 'RFC 6121 §3.1.3: a request goes to all available resources'],
    ],
  },
  {
    number: 53,
    says: 'RFC 6121 §8.5.2.1.3: requests to a bare address are the server’s',
    proofs: [
      ['scenes/delivery', 'RFC 6121 §8.5.2.1.3: a request to a bare address is answered by the server'],
    ],
  },
  {
    number: 54,
    says: 'RFC 6121 §8.5.2.1.3: answers to a bare address are ignored',
    proofs: [
      [
        'scenes/delivery',
        'RFC 6121 §8.5.3.2.3: a request for a resource that is gone comes back, answers vanish',
      ],
    ],
  },
  {
    number: 55,
    says: 'RFC 6121 §8.5.3.1: a resource that is connected gets what names it',
    proofs: [
      ['scenes/delivery', 'RFC 6121 §8.5.3.1: a connected resource gets all'],
      ['scenes/delivery', 'RFC 6121 §8.5.3.1: a request reaches a connected resource'],
    ],
  },
  {
    number: 56,
    says: 'RFC 6121 §8.5.3.2.1: messages for a resource that is gone',
    proofs: [
      ['scenes/delivery', 'RFC 6121 §8.5.3.2.1: a chat message for a resource that is gone'],
      ['scenes/delivery', 'RFC 6121 §8.5.3.2.1: other kinds for a resource that is gone'],
    ],
  },
  {
    number: 57,
    says: 'RFC 6121 §8.5.3.2.2: presence for a resource that is gone',
    proofs: [
      ['scenes/delivery', 'RFC 6121 §8.5.3.2.2: presence for a resource that is gone is ignored'],
      ['scenes/subscriptions', 'RFC 6121 §8.5.3.2.2: for a resource that is gone only a request counts'],
    ],
  },
  {
    number: 58,
    says: 'RFC 6121 §8.5.3.2.3: requests for a resource that is gone',
    proofs: [['scenes/delivery', 'RFC 6121 §8.5.3.2.3: a request for a resource that is gone']],
  },
  {
    number: 59,
    says: 'RFC 6121 §8.5.3.1, §11: a stranger’s request does not tell who is online',
    proofs: [['scenes/delivery', 'RFC 6121 §8.5.3.1, §11: a stranger asking a resource learns nothing']],
  },
  {
    number: 60,
    says: 'RFC 6121 §2.2: a roster get needs no presence and makes the resource interested',
    proofs: [
      ['scenes/roster', 'RFC 6121 §2.2, §2.3.2: an item is created'],
      ['unit/session/roster', 'makes the resource interested'],
    ],
  },
  {
    number: 61,
    says: 'RFC 6121 §2.1.6, §2.3.2: the push goes to the asking resource too, from the account, with its own id',
    proofs: [
      [
        'scenes/roster',
        'RFC 6121 §2.2, §2.3.2: an item is created, and every interested resource gets a push',
      ],
    ],
  },
  {
    number: 62,
    says: 'RFC 6121 §2.1.6: pushes to interested resources only, available or not',
    proofs: [
      ['scenes/roster', 'RFC 6121 §2.2, §2.3.2: an item is created'],
      ['unit/session/roster', '§2.1.6: pushes the item to interested resources only'],
    ],
  },
  {
    number: 63,
    says: 'RFC 6121 §2.1.2: subscription, ask and approved are not the client’s to set',
    proofs: [
      ['scenes/roster', 'RFC 6121 §2.4: an item becomes exactly what the set says; its subscription stays'],
      ['unit/session/roster', '§2.1.2.5: of subscription only'],
    ],
  },
  {
    number: 64,
    says: 'RFC 6121 §2.3.3: sets that are refused, and how',
    proofs: [
      ['scenes/roster', 'RFC 6121 §2.3.3: ${what} is refused with ${condition}'],
      ['unit/session/roster', 'RFC 6121 §2.3.3: what a roster set may not contain'],
    ],
  },
  {
    number: 65,
    says: 'RFC 6121 §2.1.5: a roster is its owner’s',
    proofs: [['scenes/roster', 'RFC 6121 §2.1.5: nobody else may read or change a roster']],
  },
  {
    number: 66,
    says: 'RFC 6121 §2.1.2.3: addresses of items are bare and prepared',
    proofs: [['scenes/roster', 'RFC 6121 §2.1.2.3: the address of an item is bare and prepared']],
  },
  {
    number: 67,
    says: 'RFC 6121 §2.5.3: removing what is not there is item-not-found',
    proofs: [['scenes/roster', 'RFC 6121 §2.5.3: removing what is not there']],
  },
  {
    number: 68,
    says: 'RFC 6121 §2.5.2: a removal ends the subscriptions',
    proofs: [
      ['scenes/roster', 'RFC 6121 §2.5.2: removing a mutual contact ends both subscriptions'],
      ['unit/session/subscription', 'RFC 6121 §2.5.2: removing an item'],
    ],
  },
  {
    number: 69,
    says: 'RFC 6121 §2.4: name and groups',
    proofs: [
      ['scenes/roster', 'RFC 6121 §2.4: name and groups of an item stay'],
      ['scenes/roster', 'RFC 6121 §2.4: an item becomes exactly what the set says'],
    ],
  },
  {
    number: 70,
    says: 'RFC 6121 §2.6: versions',
    proofs: [
      ['scenes/roster', 'RFC 6121 §2.6.1, §3.4: the stream features say'],
      ['scenes/roster', 'RFC 6121 §2.6.3: a client with the present version gets no roster'],
      [
        'scenes/roster',
        'RFC 6121 §2.6.3: a client that knows an earlier version hears what has changed since',
      ],
      ['unit/session/roster', '§2.6.3: pushes occur in the order of modification'],
    ],
  },
  {
    number: 71,
    says: 'RFC 6121 §A.1: a request alone is in no roster',
    proofs: [
      ['unit/session/roster', '§A.1, state 3: a request alone is in no roster'],
      ['scenes/subscriptions', 'RFC 6121 §3.1.3: a request waits, whole'],
    ],
  },
  {
    number: 72,
    says: 'RFC 6121 §3.1.2: a request, its push, and asking again',
    proofs: [
      ['scenes/subscriptions', 'RFC 6121 §3.1.2, §3.1.3: a request leaves from and goes to bare JIDs'],
      ['scenes/subscriptions', 'RFC 6121 §3.1.2: asking again repeats the request'],
    ],
  },
  {
    number: 73,
    says: 'RFC 6121 §3.1.3: what was approved is answered by the server',
    proofs: [
      ['scenes/subscriptions', 'RFC 6121 §3.1.3: a request of somebody who is subscribed already'],
      ['unit/session/subscription', 'a request is granted by the server and not delivered'],
    ],
  },
  {
    number: 74,
    says: 'RFC 6121 §3.1.3: a request is kept whole and shown at each login',
    proofs: [
      ['scenes/subscriptions', 'RFC 6121 §3.1.3: a request waits, whole'],
      ['unit/session/roster', '§3.1.3: the request is kept whole, also over a restart'],
    ],
  },
  {
    number: 75,
    says: 'RFC 6121 §3.1.3: a request waits once, however often it comes',
    proofs: [
      [
        'scenes/subscriptions',
        'RFC 6121 §3.1.3: a request waits, whole, until it is answered; it is told once',
      ],
    ],
  },
  {
    number: 76,
    says: 'RFC 6121 §3.4: approval in advance',
    proofs: [
      ['scenes/subscriptions', 'RFC 6121 §3.4.2: an approval in advance is noted'],
      ['scenes/roster', 'RFC 6121 §2.6.1, §3.4: the stream features say'],
    ],
  },
  {
    number: 77,
    says: 'RFC 6121 §3.1.6, §3.2.3: answers that fit no question are not delivered',
    proofs: [
      ['scenes/subscriptions', 'RFC 6121 §3.1.6: an approval that nobody asked for is ignored'],
      ['unit/session/subscription', '§3.1.6, §3.2.3: an answer that fits no question'],
    ],
  },
  {
    number: 78,
    says: 'RFC 6121 §3.1.5: presence follows an approval',
    proofs: [
      ['scenes/subscriptions', 'RFC 6121 §3.1.5, §3.1.6: approval, push and presence'],
      ['scenes/subscriptions', 'RFC 6121 §3.1.5: presence is that of every available resource'],
    ],
  },
  {
    number: 79,
    says: 'RFC 6121 §3.2.2: a cancellation makes unavailable',
    proofs: [['scenes/subscriptions', 'RFC 6121 §3.2.2, §3.2.3: cancelling: unavailable']],
  },
  {
    number: 80,
    says: 'RFC 6121 §3.3.3: a contact that unsubscribes',
    proofs: [['scenes/subscriptions', 'RFC 6121 §3.3.2, §3.3.3: unsubscribing: the notice']],
  },
  {
    number: 81,
    says: 'RFC 6121 §A: all states, both directions',
    proofs: [
      ['unit/session/subscription', 'RFC 6121 §A: ${direction}'],
      ['unit/session/subscription', 'whose stanzas do not cross always see the same relation'],
    ],
  },
  {
    number: 82,
    says: 'RFC 6121 §4.2.2: initial presence and all that follows it',
    proofs: [
      ['scenes/presence', 'RFC 6121 §4.2.2, §4.2.3: initial presence goes to subscribers'],
      ['scenes/presence', 'RFC 6121 §4.3: a resource that appears learns the presence'],
      ['scenes/presence', 'RFC 6121 §4.3.1: contacts on other servers are probed'],
      ['scenes/offline', 'XEP-0160 §2: kept messages are delivered once'],
    ],
  },
  {
    number: 83,
    says: 'RFC 6121 §4.3.1, §4.4.2: one probe per session and contact',
    proofs: [
      ['scenes/presence', 'RFC 6121 §4.3.1: contacts on other servers are probed once per session'],
      ['scenes/presence', 'RFC 6121 §4.4.2: later presence is told to subscribers'],
    ],
  },
  {
    number: 84,
    says: 'RFC 6121 §4.3.2: probes of those who may not know',
    proofs: [
      ['scenes/presence', 'RFC 6121 §4.3.2: who is not subscribed learns nothing'],
      [
        'scenes/presence',
        'RFC 6121 §4.3.2: a subscriber is told of every available resource, or that there is none',
      ],
    ],
  },
  {
    number: 85,
    says: 'RFC 6121 §4.3.2: a probe of one resource',
    proofs: [['scenes/presence', 'RFC 6121 §4.3.2: a probe of one resource tells of that one']],
  },
  {
    number: 86,
    says: 'RFC 6121 §4.4.2, §4.7.2.3: changes of presence, and priorities',
    proofs: [
      ['scenes/presence', 'RFC 6121 §4.4.2: later presence is told to subscribers'],
      ['scenes/presence', 'RFC 6121 §4.7.2.3: priority'],
    ],
  },
  {
    number: 87,
    says: 'RFC 6121 §4.5.2: unavailable presence',
    proofs: [
      ['scenes/presence', 'RFC 6121 §4.5.2, §4.5.3: unavailable, with its status'],
      ['scenes/directed-presence', 'RFC 6121 §4.6.3: directed presence to a stranger'],
    ],
  },
  {
    number: 88,
    says: 'RFC 6121 §4.5.2, §4.6.3: the unavailable presence of who goes without a word',
    proofs: [
      ['scenes/presence', 'RFC 6121 §4.5.2: the server makes the unavailable presence'],
      ['scenes/directed-presence', 'RFC 6121 §4.6.3: a stranger hears of an end without a word'],
    ],
  },
  {
    number: 89,
    says: 'RFC 6121 §4.6: directed presence',
    proofs: [
      [
        'scenes/directed-presence',
        'RFC 6121 §4.6.3: a subscriber gets directed presence, the broadcasts, and one end',
      ],
      ['scenes/directed-presence', 'RFC 6121 §4.6.3: directed presence to a stranger'],
    ],
  },
  {
    number: 90,
    says: 'RFC 6121 §4.7.1: unknown types, and errors',
    proofs: [
      ['scenes/presence', 'RFC 6121 §4.7.1: a type that does not exist'],
      ['scenes/presence', 'RFC 6121 §8.5.3.1: presence of type error'],
    ],
  },
  {
    number: 91,
    says: 'RFC 6121 §4.2.2: the own other resources',
    proofs: [['scenes/presence', 'RFC 6121 §4.2.2: every available resource of the account hears it']],
  },
  {
    number: 92,
    says: 'XEP-0160 §3, XEP-0334: what is kept',
    proofs: [['scenes/offline', 'XEP-0160 §3: headlines, errors, groupchat, chat states and no-store']],
  },
  {
    number: 93,
    says: 'XEP-0160 §2, XEP-0203: delivered once, in order, with its moment',
    proofs: [
      ['scenes/offline', 'XEP-0160 §2: kept messages are delivered once, in order'],
      ['scenes/offline', 'Two resources that come online at once'],
    ],
  },
  {
    number: 94,
    says: 'XEP-0203 §4: delays of others',
    proofs: [
      ['scenes/offline', 'XEP-0203 §4: a delay of the sender stays beside ours'],
      ['scenes/offline', 'XEP-0203 §4, XEP-0359 §3: nobody marks messages'],
    ],
  },
  {
    number: 95,
    says: 'XEP-0160 §2: no more room',
    proofs: [['scenes/offline', 'XEP-0160 §2: when there is no more room the sender is told']],
  },
  {
    number: 96,
    says: 'XEP-0160 §2: priorities',
    proofs: [['scenes/offline', 'XEP-0160 §2: a negative priority gets nothing, a later change does']],
  },
  {
    number: 97,
    says: 'XEP-0313 §3.5: once in the archive, and offline delivery carries its id',
    proofs: [
      ['scenes/archive-devices', 'XEP-0313 §3.5: what was kept offline has the id'],
      [
        'scenes/archive-devices',
        'XEP-0313 §6.1.1: who has caught up from the archive before its presence gets nothing twice',
      ],
    ],
  },
  {
    number: 98,
    says: 'XEP-0359 §3: forged stanza ids',
    proofs: [
      ['scenes/offline', 'XEP-0203 §4, XEP-0359 §3: nobody marks messages'],
      ['scenes/rooms/archive', 'XEP-0313 §3.5, XEP-0359 §3: the room names each message once'],
    ],
  },
  {
    number: 99,
    says: 'XEP-0313 §4.2: results come before the reply, each with the queryid, from the archive',
    proofs: [['scenes/archive', 'XEP-0313 §3.5, §4.2: both sides find what was said']],
  },
  {
    number: 100,
    says: 'XEP-0313 §4.3.3: an empty before is the last page, in the order of the archive',
    proofs: [['scenes/archive', 'XEP-0313 §4.3, XEP-0059: pages forwards and backwards']],
  },
  {
    number: 101,
    says: 'XEP-0313 §4.3: an unknown id is item-not-found, one that the filter leaves out is not',
    proofs: [['scenes/archive', 'XEP-0313 §4.3: unknown ids are item-not-found']],
  },
  {
    number: 102,
    says: 'XEP-0313 §4.3.2: complete exactly when nothing follows',
    proofs: [['scenes/archive', 'XEP-0313 §4.3, XEP-0059: pages forwards and backwards']],
  },
  {
    number: 103,
    says: 'XEP-0059 §2.1, §2.7: the number alone, empty sets, and our own bound on pages',
    proofs: [
      ['scenes/archive', 'XEP-0313 §4.3, XEP-0059: pages forwards and backwards'],
      ['scenes/archive-preferences', 'modules.archive.page: a client gets so many at once'],
    ],
  },
  {
    number: 104,
    says: 'XEP-0313 §4.1.1: with a bare or full address, or oneself',
    proofs: [['scenes/archive', 'XEP-0313 §4.1.1: with whom']],
  },
  {
    number: 105,
    says: 'XEP-0313 §4.1.2, §4.1.5: start and end are included; what does not fit the form is refused',
    proofs: [
      ['scenes/archive', 'XEP-0313 §4.1.2: from when to when, both included'],
      ['scenes/archive', 'XEP-0313 §4.1.5: the form, and what does not fit it'],
    ],
  },
  {
    number: 106,
    says: 'XEP-0313 §4.1.3, §4.3.4, §5: the extended queries that are advertised work',
    proofs: [
      ['scenes/archive', 'XEP-0313 §7, XEP-0359 §5: what accounts say that they can'],
      ['scenes/archive', 'XEP-0313 §4.3.4: a flipped page'],
      ['scenes/archive', 'XEP-0313 §5: where an archive begins and ends'],
    ],
  },
  {
    number: 107,
    says: 'XEP-0313 §6.1.1, §4.1.4: what is archived, and messages of rooms only when asked for',
    proofs: [
      ['scenes/archive', 'XEP-0313 §6.1.1, XEP-0334 §4: what is kept and what is not'],
      ['scenes/archive', 'XEP-0313 §4.1.4: messages of rooms, where they are kept'],
    ],
  },
  {
    number: 108,
    says: 'XEP-0441: preferences are kept and obeyed; who is never kept leaves no trace',
    proofs: [
      ['scenes/archive-preferences', 'XEP-0441 §2: whose messages are kept'],
      ['scenes/archive-preferences', 'XEP-0441 §2.1.1: the default of the domain'],
    ],
  },
  {
    number: 109,
    says: 'XEP-0313 §6.1.2, §8.1: an archive of an account is for its owner alone, that of a room for whoever may come in',
    proofs: [
      ['scenes/archive', 'XEP-0313 §8.1: an archive is its owner'],
      ['scenes/rooms/archive', 'XEP-0313 §6.1.2, §8.1: whoever could come in reads an archive'],
      ['scenes/rooms/archive', 'XEP-0313 §6.1.2: closed rooms are read by those in their lists'],
    ],
  },
  {
    number: 110,
    says: 'XEP-0313 §6.1.2, §8.4: archives of rooms say occupants, real addresses to whom they are shown, and no whispers',
    proofs: [
      ['scenes/rooms/archive', 'XEP-0313 §6.1.2, §8.4: from the occupant; who that was sees who could see'],
      ['scenes/rooms/archive', 'XEP-0313 §4.1.1: who spoke is asked for by nick, or by an address'],
      ['scenes/rooms/archive-model', 'the archive of a room is a plain list'],
    ],
  },
  {
    number: 111,
    says: 'XEP-0280 §4, §10.1: on and off, before presence too',
    proofs: [['scenes/carbons', 'XEP-0280 §4, §5, §10.1: enabled and disabled']],
  },
  {
    number: 112,
    says: 'XEP-0280 §6.1, §9: what is copied',
    proofs: [
      ['scenes/carbons', 'XEP-0280 §6.1: what is copied, and what not'],
      ['scenes/carbons', 'XEP-0280 §6.1: errors about what was copied'],
      ['scenes/carbons', 'XEP-0280 §6.1: what is said in private in a room'],
    ],
  },
  {
    number: 113,
    says: 'XEP-0280 §7, §8: the wrapper, and who gets one',
    proofs: [
      ['scenes/carbons', 'XEP-0280 §8: what one device says'],
      ['scenes/carbons', 'XEP-0297 §3.2: what is forwarded is as it was'],
    ],
  },
  {
    number: 114,
    says: 'XEP-0280 §7: copies of what goes to one resource, and to negative priorities',
    proofs: [['scenes/carbons', 'XEP-0280 §7: whoever does not get it gets a copy']],
  },
  {
    number: 115,
    says: 'XEP-0280 §10.3: copies that bounce',
    proofs: [['scenes/carbons', 'XEP-0280 §10.3: a copy that bounces']],
  },
  {
    number: 116,
    says: 'XEP-0198 §3: enabled once, and on a session',
    proofs: [
      ['scenes/management', 'stream management is offered with binding, and refused before it and twice'],
    ],
  },
  {
    number: 117,
    says: 'XEP-0198 §4: what counts, from where, and that it begins anew after 2^32 - 1',
    proofs: [
      [
        'scenes/management',
        'stanzas count from enabling on, those that were refused too, and nothing else does',
      ],
      ['unit/stream/acks', 'also where the count begins anew'],
      ['unit/stream/acks', 'a request is answered at once'],
    ],
  },
  {
    number: 118,
    says: 'XEP-0198 §6: more acknowledged than was sent',
    proofs: [
      ['scenes/management', 'who acknowledges more than was sent is disconnected, and told both numbers'],
    ],
  },
  {
    number: 119,
    says: 'XEP-0198 §5: what comes after resuming, and what after a failure',
    proofs: [
      ['scenes/resumption', 'XEP-0198 §5: resumed comes first, then what was not acknowledged in order'],
      [
        'scenes/resumption',
        'XEP-0198 §5: who is unknown fails, is told what is known, and binds on the same stream',
      ],
    ],
  },
  {
    number: 120,
    says: 'XEP-0198 §5: a stream that still stands is replaced',
    proofs: [
      ['scenes/resumption', 'XEP-0198 §5: a stream that still stands ends with conflict'],
      ['scenes/resumption', 'XEP-0198 §5: of two streams that resume at once'],
    ],
  },
  {
    number: 121,
    says: 'XEP-0198 §5, §10: only the same account, by what nobody can guess',
    proofs: [
      ['scenes/resumption', 'XEP-0198 §5: who is unknown fails'],
      ['scenes/resumption', 'XEP-0198 §3: resumable for 300 seconds'],
      ['scenes/resumption', 'XEP-0198 §5, §10: before authentication'],
    ],
  },
  {
    number: 122,
    says: 'XEP-0198 §4, §5: a session that waits, and one that waits in vain',
    proofs: [
      ['scenes/resumption', 'XEP-0198 §5: presence stays while it waits'],
      ['scenes/resumption', 'XEP-0198 §4, §5: who does not come back leaves messages to the offline store'],
      ['scenes/resumption', 'XEP-0198 §4: what nobody else got goes to the other device'],
    ],
  },
  {
    number: 123,
    says: 'XEP-0198 §5: what is kept for who comes back, and what begins anew',
    proofs: [
      ['scenes/resumption', 'XEP-0198 §5: presence stays while it waits, and no second one follows'],
      ['scenes/resumption', 'XEP-0352 §5.2, XEP-0280 §10.1: after resuming a client is active'],
    ],
  },
  {
    number: 124,
    says: 'XEP-0198 §7: a closed stream ends its session, a cut one does not',
    proofs: [['scenes/resumption', 'XEP-0198 §7: a closed stream ends the session at once']],
  },
  {
    number: 125,
    says: 'XEP-0352 §4.2, §5.1, §6: states at any time, order, and who sees them',
    proofs: [
      ['scenes/client-state', 'XEP-0352 §4.1, §4.2: offered with binding; no state is ever an error'],
      ['scenes/client-state', 'XEP-0352 §5.1: active brings all that waited'],
      ['scenes/client-state', 'XEP-0352 §3.2: what somebody would want to know does not wait'],
      ['scenes/client-state', 'XEP-0352 §6: nobody sees whether a client is looked at'],
      ['unit/modules/client-state', 'the client ends up with the same view, and nothing important waits'],
    ],
  },
  {
    number: 127,
    says: 'XEP-0191 §3.3: what the blocked one sees, and what the one who blocks cannot say',
    proofs: [
      ['scenes/blocking', 'the blocked one sees each resource leave'],
      ['scenes/blocking', 'XEP-0191 §3.3: who blocks cannot speak to the blocked'],
      ['scenes/blocking', 'XEP-0191 §3.3: who got directed presence is told too'],
    ],
  },
  {
    number: 128,
    says: 'XEP-0191 §3.3 to §3.5: pushes, and presence for who is unblocked',
    proofs: [
      ['scenes/blocking', 'changes are pushed to the resources that have asked for the list'],
      ['scenes/blocking', 'XEP-0191 §3.4: who is unblocked gets the presence there is'],
      ['scenes/blocking', 'XEP-0191 §3.3: what cannot be blocked is refused'],
    ],
  },
  {
    number: 129,
    says: 'XEP-0191 §6: the four kinds of items',
    proofs: [
      ['unit/modules/blocklist', 'XEP-0191 §6: what an item matches'],
      ['scenes/blocking', 'XEP-0191 §6: one resource, of a contact or of a room'],
      ['scenes/blocking', 'XEP-0191 §5, §6: a whole domain'],
      ['scenes/rooms-elsewhere', 'XEP-0045 §7.8.2, XEP-0191: an invitation of somebody who is blocked'],
    ],
  },
  {
    number: 130,
    says: 'XEP-0191 §3.3: nothing of the blocked is kept, copied or subscribed',
    proofs: [
      ['scenes/blocking', 'XEP-0191 §3.3: nothing of the blocked is kept'],
      ['scenes/carbons', 'XEP-0191 §3.3, XEP-0280: of what is blocked there are no copies'],
    ],
  },
  {
    number: 126,
    says: 'XEP-0357 §5–§8: push registrations, what is published when, and errors that end them',
    proofs: [
      ['scenes/push', 'XEP-0357 §5: enabling again counts last; another node is another device'],
      ['scenes/push', 'XEP-0357 §6: disabling one node leaves the others, disabling the service none'],
      ['scenes/push', 'XEP-0357 §5, §7: who is away is told of, with the publish-options of the app server'],
      ['scenes/push', 'XEP-0357 §7: a device whose stream broke is told of what waits for it, once'],
      ['scenes/push', 'XEP-0357 §7: words and calls wake, signs between clients and own messages do not'],
      ['scenes/push', 'XEP-0357 §7.1: ${condition} ends a registration, and only that'],
      ['scenes/push', 'XEP-0357 §7.1: what may pass is tried again later, less and less often'],
      ['scenes/push', 'XEP-0357 §8: an app server ends a registration by itself, others do not'],
    ],
  },
  {
    number: 131,
    says: 'XEP-0030 §3, §7, §8: information, nodes, strangers',
    proofs: [
      ['unit/modules/disco', 'XEP-0030 §3.1: the server tells what it is and can'],
      ['unit/modules/disco', 'XEP-0030 §3.2: an unknown node is not found'],
      ['unit/modules/disco', 'XEP-0030 §8: a stranger gets the same'],
      ['scenes/rooms/discovering', 'XEP-0045 §6.4: a room says what it is'],
      ['scenes/rooms/discovering', 'XEP-0045 §6.4, §18.1.1: nodes of a room'],
      ['scenes/modules', 'strangers learn nothing about accounts'],
    ],
  },
  {
    number: 132,
    says: 'XEP-0030 §4: items',
    proofs: [
      ['unit/modules/disco', 'XEP-0030 §4.1: the server lists the services'],
      ['unit/modules/disco', 'XEP-0030 §3.1, §4.1: an account tells its owner and friends'],
      ['scenes/rooms/discovering', 'XEP-0045 §6.3: public rooms are listed by name, hidden ones are not'],
      ['scenes/rooms/discovering', 'XEP-0045 §6.5: who is in is told to those who are in'],
    ],
  },
  {
    number: 133,
    says: 'XEP-0115 §5, §6.3: hashes, of the server and of clients',
    proofs: [
      ['scenes/capabilities', 'XEP-0115 §6.2: a client is asked once for its hash'],
      ['scenes/capabilities', 'XEP-0115 §5.4, step 9: a wrong answer is its own'],
      ['scenes/capabilities', 'XEP-0115 §9.3: who answers first cannot hide a feature'],
      ['unit/modules/disco', 'XEP-0115 §6.3: the hash in the stream features'],
      ['scenes/modules', 'XEP-0115 §6.3: the hash in the features is that of what discovery answers'],
    ],
  },
  {
    number: 135,
    says: 'XEP-0077 §3: registration',
    proofs: [
      ['scenes/modules', 'XEP-0077: somebody makes an account, logs in'],
      ['scenes/modules', 'XEP-0077 §3.2: whoever removes the account'],
      ['unit/modules/registration', 'XEP-0077 §3.1: what is refused, and how'],
      ['unit/modules/registration', 'XEP-0077 §3.3: a password is changed'],
      ['unit/modules/registration', 'XEP-0077 §3.2: nobody elsewhere and no guest has a say'],
    ],
  },
  {
    number: 156,
    says: 'XEP-0163 §3 to §5: publishing makes nodes, who hears of it, and the last item',
    proofs: [
      ['scenes/pep', 'XEP-0163 §3, §4: publishing makes the node; who asks for it hears of it'],
      ['scenes/pep', 'XEP-0163 §4.3.4: the last item comes to whoever comes online and asks for it'],
      ['scenes/pep-presence', 'XEP-0163 §4.3.4: a new subscriber of the presence gets the last item'],
    ],
  },
  {
    number: 157,
    says: 'XEP-0163 §4.2: what clients ask for, here, elsewhere and by directed presence',
    proofs: [
      ['scenes/pep-presence', 'XEP-0060 §9.2: what a client asks for counts when it is known'],
      ['scenes/pep-presence', 'XEP-0163 §4.2, §4.3: contacts at other servers hear of it'],
      ['scenes/pep-presence', 'RFC 6121 §4.6: presence directed to an account brings its events'],
    ],
  },
  {
    number: 158,
    says: 'XEP-0060 §7.1.5: publish-options',
    proofs: [['scenes/pep', 'XEP-0060 §7.1.5: options are preconditions']],
  },
  {
    number: 159,
    says: 'XEP-0060 §4.5, §6.1.3: access models',
    proofs: [
      ['scenes/pubsub', 'XEP-0060 §4.5, §6.1.3, §6.5.9: what each access model says'],
      ['scenes/pubsub', 'XEP-0060 §8.6: who wants to subscribe waits for the owner'],
    ],
  },
  {
    number: 160,
    says: 'XEP-0060 §6.5, §7.2, §8.4, §8.5: retractions, purging, deletion, items',
    proofs: [
      ['scenes/pubsub', 'XEP-0060 §7.2, §8.4, §8.5, §8.2.5: retractions, purging, deletion'],
      ['scenes/pubsub', 'XEP-0060 §6.5: all items, the newest, some by id, and pages of them'],
    ],
  },
  {
    number: 161,
    says: 'XEP-0060 §7.1.2: max_items, ids, replacing',
    proofs: [
      ['scenes/pubsub', 'XEP-0060 §6.5: all items, the newest, some by id, and pages of them'],
      ['scenes/pep', 'modules.pep.items: the oldest makes room'],
      ['scenes/pubsub', 'XEP-0060 §7.1.3: what cannot be published, and why'],
    ],
  },
  {
    number: 162,
    says: 'XEP-0402 §5.3, XEP-0411, XEP-0398 §3, §4: bookmarks and avatars are the same to clients of all ages',
    proofs: [
      ['scenes/bookmarks', 'XEP-0402 §5.3, XEP-0411 §2: the account says what is converted'],
      ['scenes/bookmarks', 'XEP-0402 §5.3.1: items are in both lists'],
      ['scenes/bookmarks', 'XEP-0402 §5.3.2: a list in private XML becomes items'],
      ['scenes/bookmarks', 'XEP-0411 §3: a list of personal eventing is in private XML'],
      ['scenes/profiles', 'XEP-0398 §3.1: what is published as an avatar is the photo of the card'],
      ['scenes/profiles', 'XEP-0398 §3.2: the photo of a card is published as an avatar'],
      ['scenes/profiles', 'XEP-0398 §4: the hash is in every available presence'],
      ['scenes/profiles', 'XEP-0398 §4: probes are answered with it'],
      ['scenes/profiles', 'XEP-0398 §4, §5.1: a new avatar is told to contacts'],
    ],
  },
  {
    number: 166,
    says: 'XEP-0220 §2, XEP-0178 §3: no domain is believed on a stream that was not proved there',
    proofs: [
      ['scenes/federation', 'XEP-0220 §2: a message finds its way over dialback'],
      ['scenes/federation', 'XEP-0178 §3, RFC 6120 §13.7: with certificates SASL EXTERNAL is enough'],
      [
        'scenes/federation-hostile',
        'XEP-0185, XEP-0220 §2.2.2: our keys are for one stream between two domains',
      ],
      ['scenes/federation-hostile', 'XEP-0220 §2.2.1: a key that the domain does not know is invalid'],
      ['scenes/federation-hostile', 'XEP-0220 §2.2, §2.5: what cannot be proved is told by an error'],
      ['scenes/federation-hostile', 'XEP-0220 §2.6: one stream carries several senders'],
      ['scenes/federation-pairs', 'XEP-0220 §2.6.1: two of our domains speak with a server on one stream'],
      ['scenes/federation-pairs', 'XEP-0220 §2.6.2: two domains that DNS leads to one place'],
      ['scenes/federation-hostile', 'XEP-0178 §3: with "=", with its own domain'],
      ['scenes/federation-hostile', 'XEP-0220 §3.1: answers that nobody asked for'],
    ],
  },
  {
    number: 167,
    says: 'RFC 6120 §4.9.3.7, §4.9.3.9, §10.4: addresses between servers, and what cannot be delivered',
    proofs: [
      [
        'scenes/federation-hostile',
        'RFC 6120 §4.9.3, §8.1: a stanza ${what} ends the stream with ${condition}',
      ],
      ['scenes/federation', 'RFC 6120 §8.3.3.16: a domain that is not there is told at once'],
      ['scenes/federation-queue', 'limits §3 P9: messages wait five minutes'],
      ['scenes/federation-queue', 'RFC 6120 §10.4: after a failure the next stanza tries again'],
    ],
  },
  {
    number: 134,
    says: 'XEP-0050 §2, §4.4: commands are listed and run for those allowed, forbidden else; sessions, cancel, prev, complete',
    proofs: [
      [
        'scenes/commands',
        'XEP-0050 §2.2, §4.4: the list is for those who may run something in it, forbidden else',
      ],
      ['scenes/commands', 'XEP-0050 §2.4.2, §3.4: form, confirmation, back again, and done'],
      ['scenes/commands', 'XEP-0050 §2.4.3: a command is canceled at any point, and nothing has happened'],
      ['scenes/commands', 'XEP-0050 §4.4: what cannot be done is told by its own condition'],
    ],
  },
  {
    number: 150,
    says: "XEP-0045 §11.1, §18.1.2: who vanishes leaves, and the error that says so is nobody else's business",
    proofs: [
      ['scenes/rooms/ghosts', 'XEP-0045 §18.1.2, §11.1: who answers with ${error} is put out'],
      ['scenes/rooms/ghosts', 'limits §3 P6: the link breaks for good'],
      ['scenes/rooms/ghosts', 'XEP-0198 §5: a client whose time to come back is over has left'],
    ],
  },
  {
    number: 138,
    says: 'XEP-0045 §10.1: a new room is locked until its form is submitted; empty is an instant room, cancel destroys',
    proofs: [
      [
        'scenes/rooms/configuring',
        'XEP-0045 §10.1.1: a new room is locked until its creator takes it as it is',
      ],
      ['scenes/rooms/configuring', 'XEP-0045 §10.1.3: a reserved room is opened by its form'],
      ['scenes/rooms/configuring', 'XEP-0045 §10.1.3: cancelling the first form destroys the room'],
      ['scenes/rooms/configuring', 'XEP-0045 §10.1.3: so does going before the form is sent'],
    ],
  },
  {
    number: 149,
    says: 'XEP-0045 §7.2.13, §7.2.14: history with its moments and ids, within all limits that are wanted',
    proofs: [
      ['scenes/rooms/history', 'XEP-0045 §7.2.13: history after presence and before the subject'],
      ['scenes/rooms/history', 'XEP-0045 §7.2.14: all four limits, each alone and together'],
      ['scenes/rooms/history', 'XEP-0045 §7.2.14: maxchars counts whole stanzas'],
      ['scenes/rooms/archive-model', 'the archive of a room is a plain list'],
    ],
  },
  {
    number: 152,
    says: 'XEP-0421 §3, §4: one occupant id in every presence and message, stable, and nobody else gives it',
    proofs: [
      ['scenes/rooms/occupant-ids', 'XEP-0421 §3, §4: in every presence and message, one only'],
      ['scenes/rooms/occupant-ids', 'XEP-0421 §4.1: stable for the account'],
    ],
  },
  {
    number: 147,
    says: 'XEP-0045 §10.2.1, §10.9: changes of configuration are announced by code; the end of a room by one presence each',
    proofs: [
      ['scenes/rooms/configuring', 'XEP-0045 §10.2.1: everybody is told that something changed'],
      ['scenes/rooms/destroying', 'XEP-0045 §10.9: everybody gets one presence, with reason, venue'],
    ],
  },
  {
    number: 155,
    says: 'XEP-0045 §6.3, §6.4, §7.12: disco of rooms follows their configuration, hidden rooms are not listed',
    proofs: [
      ['scenes/rooms/discovering', 'XEP-0045 §6.3: public rooms are listed by name, hidden ones are not'],
      ['scenes/rooms/discovering', 'XEP-0045 §6.4: a room says what it is, as its configuration has it'],
      ['scenes/rooms/discovering', 'XEP-0045 §6.4, §18.1.1: nodes of a room'],
      ['scenes/rooms/discovering', 'XEP-0045 §7.12: the nickname that is reserved for one'],
    ],
  },
  {
    number: 142,
    says: 'XEP-0045 §7.2.4: full JIDs only for moderators in semi-anonymous rooms, whatever happens',
    proofs: [
      ['scenes/rooms/hidden-addresses', 'whatever happens in a room, who is in learns no address'],
      ['scenes/rooms/hidden-addresses', 'in an open room everybody knows everybody'],
      [
        'scenes/rooms/occupant-iq',
        'XEP-0045 §17.4: an error goes back too, without what it says of addresses',
      ],
    ],
  },
  {
    number: 151,
    says: 'XEP-0410 §3.3, XEP-0045 §6.6, §17.4: self-ping, requests between occupants, cards by the bare JID',
    proofs: [
      ['scenes/rooms/occupant-iq', 'XEP-0410 §3.3: the room answers who is in, and who is not'],
      ['scenes/rooms/occupant-iq', 'XEP-0045 §17.4: a request goes to one client of the other and back'],
      ['scenes/rooms/occupant-iq', 'XEP-0045 §6.6: the card of an occupant comes from its account'],
    ],
  },
  {
    number: 154,
    says: 'XEP-0045 §7.8.2: a room invites with its password, makes members of whom admins invite, and passes on a refusal',
    proofs: [
      [
        'scenes/rooms/invitations',
        '§7.8.2, §7.9: where addresses are shown, with it; several at once, and the password',
      ],
      [
        'scenes/rooms/invitations',
        '§7.8.2: into a members-only room admins invite, and who is invited may enter',
      ],
      ['scenes/rooms/invitations', '§7.8.2: a refusal goes to who asked, and to nobody else'],
    ],
  },
  {
    number: 139,
    says: 'XEP-0045 §7.2.17: each reason for which somebody cannot come in has its condition',
    proofs: [
      ['scenes/rooms/doors', 'XEP-0045 §7.2.5: a room that takes a password'],
      ['scenes/rooms/doors', 'XEP-0045 §7.2.6: a members-only room'],
      ['scenes/rooms/affiliations', 'XEP-0045 §9.1: a ban of somebody who is in'],
      ['scenes/rooms/affiliations', 'XEP-0045 §9.3, §9.5, §7.12: a nick that is reserved'],
      ['scenes/rooms/capacity', 'modules.rooms.occupants: one more than may be in is refused'],
      ['scenes/rooms/doors', 'XEP-0045 §7.2.1, §7.2.8: without a nickname, or under that of another'],
      ['scenes/rooms/configuring', 'XEP-0045 §10.1.1: a new room is locked until its creator takes it'],
    ],
  },
  {
    number: 144,
    says: 'XEP-0045 §5, §8 to §10: who may change whose role and affiliation; the last owner stays',
    proofs: [
      ['scenes/rooms/powers', "may do to everybody's role"],
      ['scenes/rooms/powers', 'may change to which'],
      ['unit/modules/rooms/privileges', 'XEP-0045 §5.1.1: what each role may do'],
      ['scenes/rooms/affiliations', 'XEP-0045 §10.4: the last owner stays, also by several items'],
      ['scenes/rooms/affiliations', 'XEP-0045 §9.1: nobody bans himself'],
    ],
  },
  {
    number: 145,
    says: 'XEP-0045 §9.2, §10.3: several items are set all or none, and changes of who is not in are told by the room',
    proofs: [
      ['scenes/rooms/affiliations', 'XEP-0045 §10.3, §10.6: changes of who is not in are told by the room'],
      ['scenes/rooms/affiliations', 'XEP-0045 §9.1: nobody bans himself'],
      ['scenes/rooms/roles', 'XEP-0045 §8.2: several at once are kicked all or none'],
    ],
  },
  {
    number: 146,
    says: 'XEP-0045 §8.2, §9.1, §9.4, §10.2.1: who is put out knows why and by whom, and so do all others',
    proofs: [
      ['scenes/rooms/roles', 'XEP-0045 §8.2: a kick: who goes is told first'],
      ['scenes/rooms/affiliations', 'XEP-0045 §9.1: a ban of somebody who is in'],
      ['scenes/rooms/doors', 'XEP-0045 §9.4: who is no member any more leaves'],
      ['scenes/rooms/doors', 'XEP-0045 §10.2.1: when a room becomes members-only'],
    ],
  },
  {
    number: 136,
    says: 'XEP-0045 §7.1: the others, oneself with 110, history, the subject, and then what is new',
    proofs: [
      ['scenes/rooms/entering', 'XEP-0045 §7.1: the others, oneself, the subject, and then what is new'],
    ],
  },
  {
    number: 137,
    says: 'XEP-0045 §7.2 to §10: the codes of one’s own presence',
    proofs: [
      ['scenes/rooms/entering', 'XEP-0045 §7.1, §10.1: who comes first makes the room and is its owner'],
      ['scenes/rooms/entering', 'RFC 8266 §2.3: spaces in nicknames are put right, and that is told'],
      ['scenes/rooms/presence', 'XEP-0045 §7.2.3: in a room where everybody sees who is who'],
      ['scenes/rooms/nicks', 'XEP-0045 §7.6: a change of nickname'],
      ['scenes/rooms/reloading', 'rooms that a reload takes away tell so'],
    ],
  },
  {
    number: 140,
    says: 'XEP-0045 §7.4, §7.5: who does not speak, and where',
    proofs: [
      ['scenes/rooms/speaking', 'XEP-0045 §7.4: who is not in does not speak'],
      ['scenes/rooms/speaking', 'XEP-0045 §7.4: visitors of a moderated room listen'],
      ['scenes/rooms/speaking', 'XEP-0045 §7.5: groupchat is for everybody'],
    ],
  },
  {
    number: 141,
    says: 'XEP-0045 §7.4: a message comes back as it went out, but for what only rooms say',
    proofs: [
      [
        'scenes/rooms/speaking',
        'XEP-0045 §7.4: to everybody, the sender too, with its id and all that it holds',
      ],
    ],
  },
  {
    number: 143,
    says: 'XEP-0045 §7.6: unavailable with 303, then available; or a conflict and nothing',
    proofs: [
      ['scenes/rooms/nicks', 'XEP-0045 §7.6: a change of nickname'],
      ['scenes/rooms/nicks', 'XEP-0045 §7.6: a nickname that somebody has stays theirs'],
    ],
  },
  {
    number: 148,
    says: 'XEP-0045 §8.1: the subject, who sets it, and who gets it',
    proofs: [
      [
        'scenes/rooms/speaking',
        'XEP-0045 §8.1, §7.2.15: the subject, and who comes in gets it with who set it',
      ],
    ],
  },
  {
    number: 153,
    says: 'XEP-0045 §7.2.1, §7.2.8: entering again, and with another client',
    proofs: [
      ['scenes/rooms/entering', 'XEP-0045 §7.2.1: a client that comes in again gets everything again'],
      [
        'scenes/rooms/entering',
        'XEP-0045 §7.2.8: another client of the same account under the same nickname',
      ],
      ['scenes/rooms/nicks', 'XEP-0045 §7.6: one client of several goes on'],
    ],
  },
]

/** Numbers that wait for what they are about. */
export const later: Readonly<Record<number, string>> = {}
