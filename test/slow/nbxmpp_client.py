"""nbxmpp, the library of Gajim: login, copies, avatars, bookmarks, the archive, blocking, resumption. Prints ok NAME or
not ok NAME, at last done."""
import os
import traceback

from gi.repository import Gio, GLib
from nbxmpp.client import Client
from nbxmpp.const import ConnectionProtocol, ConnectionType, StreamError, StreamState
from nbxmpp.modules.user_avatar import Avatar
from nbxmpp.namespaces import Namespace
from nbxmpp.protocol import JID, Iq, Message, Presence
from nbxmpp.structs import BookmarkData, DiscoIdentity, StanzaHandler

PORT, TLS_PORT = int(os.environ['XMPP_PORT']), int(os.environ['XMPP_TLS_PORT'])
DOMAIN, CA, STRANGE_CA = os.environ['XMPP_DOMAIN'], os.environ['XMPP_CA'], os.environ['XMPP_STRANGE_CA']
ROMEO, JULIET = (f"{os.environ[name]}@{DOMAIN}" for name in ('XMPP_A', 'XMPP_B'))
PASSWORD = os.environ['XMPP_PASSWORD']
WAIT = 20
FEATURES = [Namespace.DISCO_INFO, Namespace.AVATAR_METADATA + '+notify', Namespace.BOOKMARKS_1 + '+notify']
loop = GLib.MainContext.default()
everyone = []  # of the check under way


def until(what, ask):
    """Lets things happen until `ask` gives something."""
    late = []
    timer = GLib.timeout_add_seconds(WAIT, lambda: late.append(True))
    try:
        while not (found := ask()):
            assert not late, f'no {what} within {WAIT} s'
            loop.iteration(True)
        return found
    finally:
        if not late:
            GLib.source_remove(timer)


class Device:
    """A client whose events can be awaited in order."""

    def __init__(self, account, resource, ca=CA, password=PASSWORD, direct=False):
        everyone.append(self)
        self.bare, self.heard, self.signals = account, [], []
        self.client = client = Client(resource)
        client.set_domain(DOMAIN)
        client.set_username(account.split('@')[0])
        client.set_resource(resource)
        client.set_password(password)
        way = (ConnectionType.DIRECT_TLS, TLS_PORT) if direct else (ConnectionType.START_TLS, PORT)
        client.set_custom_host(f'127.0.0.1:{way[1]}', ConnectionProtocol.TCP, way[0])
        client.set_accepted_certificates([Gio.TlsCertificate.new_from_file(ca)])
        for signal in ('connected', 'disconnected', 'connection-failed', 'resume-successful', 'resume-failed'):
            client.subscribe(signal, lambda _client, name: self.signals.append(name))
        client.register_handler(StanzaHandler(name='message', callback=self.hear, priority=90))
        client.get_module('EntityCaps').set_caps(
            [DiscoIdentity(category='client', type='pc', name='test')], FEATURES, 'https://client.example')

    def hear(self, _client, stanza, properties):
        self.heard.append((stanza, properties))

    def next(self, fits, what='message'):
        def look():
            for at, (stanza, properties) in enumerate(self.heard):
                if fits(stanza, properties):
                    return self.heard.pop(at)
        return until(what, look)

    def hears(self, body):
        """The next message with a body has this one, and came straight."""
        stanza, properties = self.next(
            lambda stanza, properties: properties.body and not properties.is_mam_message
            and not properties.is_carbon_message, body)
        assert properties.body == body, (body, str(stanza))
        return stanza

    def signal(self, name):
        until(name, lambda: name in self.signals)
        self.signals.remove(name)

    def start(self):
        self.client.connect()
        self.signal('connected')
        return self

    def online(self):
        self.start()
        self.roster()
        caps = self.client.get_module('EntityCaps').caps
        presence = Presence()
        presence.setTag('c', namespace=Namespace.CAPS, attrs=caps._asdict())
        self.client.send_stanza(presence)
        # The server asks what it wants to be told; the answer to that is before the second of these.
        self.ping()
        self.ping()
        return self

    def ask(self, module, request, *args, **named):
        outcome = []

        def finished(task):
            try:
                outcome.append((task.finish(), None))
            except Exception as error:
                outcome.append((None, error))
        named['callback'] = finished
        getattr(self.client.get_module(module), request)(*args, **named)
        until(f'answer to {request}', lambda: outcome)
        result, error = outcome[0]
        if error is not None:
            raise error
        return result

    def roster(self):
        return self.ask('Roster', 'request_roster')

    def ping(self):
        self.ask('Ping', 'ping', JID.from_string(DOMAIN))

    def request(self, iq):
        """An iq of its own making."""
        answers = []
        self.client.send_stanza(iq, callback=lambda _client, answer: answers.append(answer))
        until('answer', lambda: answers)
        assert answers[0].getType() == 'result', str(answers[0])
        return answers[0]

    def says(self, to, body):
        self.client.send_stanza(Message(to=to, body=body, typ='chat'))

    def cut(self):
        """The connection is gone without a word."""
        self.client.disconnect(immediate=True)
        self.signal('disconnected')

    def leave(self):
        # XEP-0198 §4: by itself it leaves without saying what it has heard, which would come again.
        if self.client._smacks.enabled:
            self.client._smacks._send_ack()
        self.client.disconnect()
        self.signal('disconnected')


def main():
    # First: a TLS session that is resumed shows no certificate.
    check('a certificate from elsewhere and a wrong password are refused', refusals)
    check('STARTTLS, certificate verified', log_in, False)
    check('direct TLS, certificate verified', log_in, True)
    check('roster, subscriptions, presence and chat', meet)
    check('carbons: another device hears what was said and what was heard', carbons)
    check('avatars: published, told to a contact, fetched', avatars)
    check('bookmarks: kept item by item, told to the other device', bookmarks)
    check('archive: pages, the same for both, and what is to be kept', archive)
    check('blocking: a blocked contact is not heard, until unblocked', blocking)
    check('stream management: cut off, it resumes and misses nothing', resumption)
    print('done')


def log_in(direct):
    device = Device(ROMEO, 'balcony', direct=direct).start()
    assert str(device.client.get_bound_jid()) == f'{ROMEO}/balcony', device.client.get_bound_jid()
    assert device.client.is_stream_secure
    device.ping()
    device.leave()


def refusals():
    stranger = Device(ROMEO, 'balcony', ca=STRANGE_CA)
    stranger.client.connect()
    stranger.signal('disconnected')
    assert stranger.client.get_error()[0] == StreamError.BAD_CERTIFICATE, stranger.client.get_error()
    mistaken = Device(ROMEO, 'balcony', password='wrong')
    mistaken.client.connect()
    mistaken.signal('disconnected')
    assert mistaken.client.get_error()[1] == 'not-authorized', mistaken.client.get_error()


def meet():
    one, two = Device(ROMEO, 'one').online(), Device(JULIET, 'two').online()
    presences = []
    for device in (one, two):
        device.client.register_handler(StanzaHandler(
            name='presence', callback=lambda _client, stanza, _properties: presences.append(
                (str(stanza.getFrom().bare), str(stanza.getTo().bare), stanza.getType()))))
    one.ask('Roster', 'set_item', JID.from_string(JULIET), 'Juliet', {'Capulet'})
    for asker, asked in ((one, two), (two, one)):
        asker.client.send_stanza(Presence(to=asked.bare, typ='subscribe'))
        until('subscribe', lambda: (asker.bare, asked.bare, 'subscribe') in presences)
        asked.client.send_stanza(Presence(to=asker.bare, typ='subscribed'))
        until('subscribed', lambda: (asked.bare, asker.bare, 'subscribed') in presences)
    [item] = one.roster().items
    assert (str(item.jid), item.name, item.subscription, item.groups) == (JULIET, 'Juliet', 'both', {'Capulet'}), item
    for speaker, hearer in ((one, two), (two, one)):
        text = 'Wherefore art thou <Rómeo> & "why"? \U0001F339'
        speaker.says(hearer.bare, text)
        hearer.hears(text)
    one.leave()
    two.leave()


def carbons():
    one, phone, desktop = Device(ROMEO, 'one').online(), Device(JULIET, 'phone').online(), Device(JULIET, 'desk').online()
    iq = Iq('set')
    iq.addChild('enable', namespace=Namespace.CARBONS)
    phone.request(iq)
    one.says(f'{JULIET}/desk', 'for the desktop')
    desktop.hears('for the desktop')
    _, copy = phone.next(lambda _stanza, properties: properties.is_received_carbon, 'carbon')
    assert copy.body == 'for the desktop', copy
    desktop.says(ROMEO, 'from the desktop')
    one.hears('from the desktop')
    _, copy = phone.next(lambda _stanza, properties: properties.is_sent_carbon, 'carbon')
    assert copy.body == 'from the desktop', copy
    for device in (one, phone, desktop):
        device.leave()


def avatars():
    one, two = Device(ROMEO, 'one').online(), Device(JULIET, 'two').online()
    image = bytes.fromhex('89504e470d0a1a0a0000000d49484452')
    avatar = Avatar()
    avatar.add_image_source(image, 'image/png', 64, 64)
    [sha] = avatar.metadata.avatar_shas
    one.ask('UserAvatar', 'set_avatar', avatar)

    def is_told(_stanza, properties):
        return (properties.is_pubsub_event and properties.pubsub_event.node == Namespace.AVATAR_METADATA
                and str(properties.jid.bare) == ROMEO)
    _, told = two.next(is_told, 'avatar')
    assert told.pubsub_event.data.avatar_shas == [sha], told.pubsub_event
    known = two.ask('UserAvatar', 'request_avatar_metadata', jid=JID.from_string(ROMEO))
    assert known.avatar_shas == [sha], known
    fetched = two.ask('UserAvatar', 'request_avatar_data', sha, jid=JID.from_string(ROMEO))
    assert (fetched.data, fetched.sha) == (image, sha), fetched
    # XEP-0398: clients that know vCards only see the same one.
    card = two.ask('VCardTemp', 'request_vcard', jid=JID.from_string(ROMEO))
    assert card.get_avatar()[0] == image, card
    one.ask('UserAvatar', 'set_avatar', None)
    assert two.ask('UserAvatar', 'request_avatar_metadata', jid=JID.from_string(ROMEO)) is None
    one.leave()
    two.leave()


def bookmarks():
    phone, desktop = Device(ROMEO, 'phone').online(), Device(ROMEO, 'desk').online()
    rooms = [BookmarkData(jid=JID.from_string(f'{name}@conference.example'), name=name.title(), nick='Romeo',
                          autojoin=True) for name in ('balcony', 'vault')]
    phone.ask('NativeBookmarks', 'store_bookmarks', rooms)
    for _ in rooms:
        _, told = desktop.next(
            lambda _stanza, properties: properties.is_pubsub_event
            and properties.pubsub_event.node == Namespace.BOOKMARKS_1, 'bookmark')
        assert told.pubsub_event.data.nick == 'Romeo', told.pubsub_event
    found = desktop.ask('NativeBookmarks', 'request_bookmarks')
    plain = {(str(one.jid), one.name, one.nick, one.autojoin) for one in found}
    assert plain == {(str(one.jid), one.name, one.nick, one.autojoin) for one in rooms}, found
    # XEP-0048, as an older client would find them.
    older = desktop.ask('PrivateBookmarks', 'request_bookmarks')
    assert {str(one.jid) for one in older} == {str(one.jid) for one in rooms}, older
    for room in rooms:
        desktop.ask('NativeBookmarks', 'retract_bookmark', room.jid)
    assert phone.ask('NativeBookmarks', 'request_bookmarks') == []
    phone.leave()
    desktop.leave()


def archive():
    one, two = Device(ROMEO, 'one').online(), Device(JULIET, 'two').online()
    before = {}
    for device in (one, two):
        own = JID.from_string(device.bare)
        before[device] = device.ask('MAM', 'make_query', own, max_=0).rsm.count
    lines = [f'archived {number}' for number in range(23)]
    for line in lines:
        one.says(JULIET, line)
    for line in lines:
        stanza = two.hears(line)
        assert stanza.getTag('stanza-id', attrs={'by': JULIET}), str(stanza)
    for device, other in ((one, JULIET), (two, ROMEO)):
        assert pages(device, other, 10)[-len(lines):] == lines
        everything = device.ask('MAM', 'make_query', JID.from_string(device.bare), max_=0)
        assert everything.rsm.count == before[device] + len(lines), everything
    one.ask('MAM', 'set_preferences', 'roster', [JID.from_string('paris@example.com')], [])
    kept = one.ask('MAM', 'request_preferences')
    assert (kept.default, [str(jid) for jid in kept.always], kept.never) == ('roster', ['paris@example.com'], []), kept
    one.ask('MAM', 'set_preferences', 'always', [], [])
    one.leave()
    two.leave()


def pages(device, other, size):
    """The words said with that account, from the oldest on, so many at a time."""
    words, after = [], None
    for number in range(100):
        page = f'page {number}'
        answer = device.ask('MAM', 'make_query', JID.from_string(device.bare), queryid=page, with_=other,
                            after=after, max_=size)
        found = [one for one in device.heard if one[1].is_mam_message and one[1].mam.query_id == page]
        device.heard = [one for one in device.heard if one not in found]
        assert len(found) == size or answer.complete, (len(found), answer)
        words += [properties.body for _stanza, properties in found]
        if answer.complete:
            return words
        after = answer.rsm.last
    raise AssertionError('no end')


def blocking():
    one, two = Device(ROMEO, 'one').online(), Device(JULIET, 'two').online()
    blocked = JID.from_string(ROMEO)
    two.ask('Blocking', 'block', [blocked])
    assert two.ask('Blocking', 'request_blocking_list') == {blocked}
    one.says(JULIET, 'unheard')
    bounce, _ = one.next(lambda stanza, _properties: stanza.getType() == 'error', 'bounce')
    assert bounce.getError() == 'service-unavailable', str(bounce)
    two.ask('Blocking', 'unblock', [blocked])
    assert two.ask('Blocking', 'request_blocking_list') == set()
    one.says(JULIET, 'heard again')
    two.hears('heard again')
    one.leave()
    two.leave()


def resumption():
    one, two = Device(ROMEO, 'one').online(), Device(JULIET, 'two').online()
    until('resumption', lambda: two.client.resumeable)
    one.says(JULIET, 'before')
    two.hears('before')
    two.cut()
    for number in range(20):
        one.says(JULIET, f'meanwhile {number}')
    one.ping()
    two.client.connect()
    two.signal('resume-successful')
    for number in range(20):
        two.hears(f'meanwhile {number}')
    two.ping()
    assert not [stanza for stanza, properties in two.heard if properties.body], 'some came twice'
    two.says(ROMEO, 'after')
    one.hears('after')
    one.leave()
    two.leave()


def check(name, run, *args):
    everyone.clear()
    try:
        run(*args)
        print(f'ok {name}', flush=True)
    except BaseException as error:  # a failed assertion, a time-out, an error stanza: all of them are the result
        print(f'not ok {name}: {type(error).__name__} {error}', flush=True)
        traceback.print_exc()
    for device in everyone:
        if device.client.state != StreamState.DISCONNECTED:
            device.client.disconnect(immediate=True)
            until('end', lambda: device.client.state == StreamState.DISCONNECTED)
        device.client.destroy()


if __name__ == '__main__':
    main()
