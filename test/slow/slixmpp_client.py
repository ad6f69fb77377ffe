"""slixmpp: two people meet, chat, part and read what came meanwhile. Prints ok NAME or not ok NAME, at last done."""
import asyncio
import logging
import os
import ssl
import sys
import traceback

import slixmpp
from slixmpp.exceptions import IqError

HOST = '127.0.0.1'
PORT, TLS_PORT = int(os.environ['XMPP_PORT']), int(os.environ['XMPP_TLS_PORT'])
DOMAIN, CA, STRANGE_CA = os.environ['XMPP_DOMAIN'], os.environ['XMPP_CA'], os.environ['XMPP_STRANGE_CA']
ROMEO, JULIET, PASSWORD = os.environ['XMPP_A'], os.environ['XMPP_B'], os.environ['XMPP_PASSWORD']
WAIT = 30
everyone = []  # of the check under way


class Person(slixmpp.ClientXMPP):
    """A client whose events can be awaited in order."""

    def __init__(self, jid, ca=CA, mechanism=None, password=PASSWORD, tls13=True):
        super().__init__(jid, password, sasl_mech=mechanism)
        everyone.append(self)
        self.ca_certs = ca
        if not tls13:
            self.ssl_context.maximum_version = ssl.TLSVersion.TLSv1_2
        for plugin in ('xep_0030', 'xep_0092', 'xep_0199', 'xep_0202', 'xep_0203', 'xep_0012', 'xep_0049', 'xep_0054'):
            self.register_plugin(plugin)
        self.auto_authorize = self.auto_subscribe = None
        self.heard = {}
        for event in ('session_start', 'failed_all_auth', 'message', 'presence_available', 'presence_unavailable',
                      'presence_subscribe', 'presence_subscribed', 'roster_update', 'disconnected',
                      'ssl_invalid_chain', 'changed_status'):
            self.heard[event] = asyncio.Queue()
            self.add_event_handler(event, self.heard[event].put_nowait)

    async def next(self, event, wanted=lambda stanza: True):
        async def matching():
            while True:
                stanza = await self.heard[event].get()
                if wanted(stanza):
                    return stanza
        return await asyncio.wait_for(matching(), WAIT)

    async def start(self, direct=False):
        self.enable_direct_tls, self.enable_starttls = direct, not direct
        self.enable_plaintext = False
        self.connect(HOST, TLS_PORT if direct else PORT)
        await self.next('session_start')
        return self

    async def online(self):
        await self.start()
        await self.get_roster()
        self.send_presence()
        await self.next('presence_available', lambda presence: presence['from'] == self.boundjid)
        return self

    async def leave(self):
        self.disconnect(wait=3)
        await self.next('disconnected')


async def main():
    romeo, juliet = f'{ROMEO}@{DOMAIN}', f'{JULIET}@{DOMAIN}'
    await check('a certificate from elsewhere is noticed', unknown_certificate, romeo)
    await check('direct TLS, certificate verified', direct, romeo)
    for mechanism in ('SCRAM-SHA-1', 'SCRAM-SHA-256', 'PLAIN'):
        await check(f'STARTTLS, certificate verified, {mechanism}', log_in, romeo, mechanism)
    await check('a wrong password is refused', wrong_password, romeo)
    await check('roster, subscriptions, presence and chat', meet, romeo, juliet)
    await check('twenty messages wait in order', offline, romeo, juliet)
    await check('ping, disco, version, time, last activity', questions, romeo)
    await check('private storage and vcard-temp', own_things, romeo, juliet)
    print('done')


async def unknown_certificate(romeo):
    person = Person(romeo, ca=STRANGE_CA)
    person.connect(HOST, PORT)
    await person.next('ssl_invalid_chain')
    assert person.heard['session_start'].empty()


async def direct(romeo):
    person = await Person(romeo).start(direct=True)
    assert person.boundjid.bare == romeo
    await person.leave()


async def log_in(romeo, mechanism):
    person = await Person(romeo, mechanism=mechanism).start()
    assert isinstance(person.socket, (ssl.SSLSocket, ssl.SSLObject)), person.socket
    assert person.boundjid.bare == romeo and person.boundjid.resource, person.boundjid
    await person.leave()


async def wrong_password(romeo):
    person = Person(romeo, password='wrong')
    person.connect(HOST, PORT)
    await person.next('failed_all_auth')
    assert person.heard['session_start'].empty()


async def meet(romeo, juliet):
    one, two = await Person(romeo).online(), await Person(juliet).online()
    await one.update_roster(juliet, name='Juliet', groups=['Capulet'])
    for asker, asked in ((one, two), (two, one)):
        asker.send_presence_subscription(asked.boundjid.bare)
        await asked.next('presence_subscribe', lambda presence: presence['from'].bare == asker.boundjid.bare)
        asked.send_presence(pto=asker.boundjid.bare, ptype='subscribed')
        await asker.next('presence_subscribed', lambda presence: presence['from'].bare == asked.boundjid.bare)
        await asker.next('presence_available', lambda presence: presence['from'] == asked.boundjid)
    await one.get_roster()
    contact = one.client_roster[juliet]
    assert (contact['subscription'], contact['name'], contact['groups']) == ('both', 'Juliet', ['Capulet']), contact

    one.send_presence(pshow='away', pstatus='on a balcony')
    away = await two.next('changed_status', lambda presence: presence['show'] == 'away')
    assert away['from'] == one.boundjid and away['status'] == 'on a balcony', away
    for speaker, hearer in ((one, two), (two, one)):
        text = 'Wherefore art thou <Rómeo> & "why"? \U0001F339'
        speaker.send_message(mto=hearer.boundjid.bare, mbody=text, mtype='chat')
        heard = await hearer.next('message')
        assert heard['body'] == text and heard['from'] == speaker.boundjid and heard['type'] == 'chat', heard
    left = one.boundjid.full
    await one.leave()
    gone = await two.next('presence_unavailable')
    assert gone['from'].full == left, gone
    await two.leave()


async def offline(romeo, juliet):
    one = await Person(romeo).online()
    for number in range(20):
        one.send_message(mto=juliet, mbody=f'line {number}', mtype='chat')
    await one.plugin['xep_0199'].ping(DOMAIN, timeout=WAIT)
    two = await Person(juliet).online()
    for number in range(20):
        heard = await two.next('message')
        assert heard['body'] == f'line {number}', heard
        assert heard['delay']['stamp'] is not None and heard['delay']['from'] == DOMAIN, heard
    await two.leave()
    again = await Person(juliet).online()
    await again.plugin['xep_0199'].ping(DOMAIN, timeout=WAIT)
    assert again.heard['message'].empty(), 'they came twice'
    await again.leave()
    await one.leave()


async def questions(romeo):
    one = await Person(romeo).online()
    await one.plugin['xep_0199'].ping(DOMAIN, timeout=WAIT)
    info = await one.plugin['xep_0030'].get_info(jid=DOMAIN, timeout=WAIT)
    identities = {(category, kind) for category, kind, *_ in info['disco_info']['identities']}
    assert ('server', 'im') in identities, info
    assert {'urn:xmpp:ping', 'jabber:iq:version', 'urn:xmpp:time'} <= set(info['disco_info']['features']), info
    await one.plugin['xep_0030'].get_items(jid=DOMAIN, timeout=WAIT)
    version = await one.plugin['xep_0092'].get_version(DOMAIN, timeout=WAIT)
    assert version['software_version']['name'], version
    time = await one.plugin['xep_0202'].get_entity_time(DOMAIN, timeout=WAIT)
    assert time.xml.find('.//{urn:xmpp:time}utc').text.endswith('Z'), time  # its own reader wants no Z
    last = await one.plugin['xep_0012'].get_last_activity(DOMAIN, timeout=WAIT)
    assert int(last['last_activity']['seconds']) >= 0, last
    try:
        await one.plugin['xep_0030'].get_info(jid=f'nobody@{DOMAIN}', timeout=WAIT)
        raise AssertionError('an account that is none answered')
    except IqError as error:
        assert error.condition in ('service-unavailable', 'subscription-required'), error.iq
    await one.leave()


async def own_things(romeo, juliet):
    one, two = await Person(romeo).online(), await Person(juliet).online()
    card = one.plugin['xep_0054'].make_vcard()
    card['FN'] = 'Romeo Montague'
    await one.plugin['xep_0054'].publish_vcard(card, timeout=WAIT)
    seen = await two.plugin['xep_0054'].get_vcard(romeo, timeout=WAIT)
    assert seen['vcard_temp']['FN'] == 'Romeo Montague', seen
    note = slixmpp.xmlstream.ET.fromstring('<note xmlns="example:note">remember</note>')
    await one.plugin['xep_0049'].store(note, timeout=WAIT)
    iq = one.make_iq_get()
    iq.set_payload(slixmpp.xmlstream.ET.fromstring(
        '<query xmlns="jabber:iq:private"><note xmlns="example:note"/></query>'))
    back = await iq.send(timeout=WAIT)
    assert back.xml.find('.//{example:note}note').text == 'remember', back
    await one.leave()
    await two.leave()


async def check(name, run, *args):
    everyone.clear()
    try:
        await asyncio.wait_for(run(*args), 60)
        print(f'ok {name}', flush=True)
    except BaseException as error:  # a failed assertion, a time-out, an error stanza: all of them are the result
        print(f'not ok {name}: {type(error).__name__} {error}', flush=True)
        traceback.print_exc()
        for person in everyone:
            if person.transport:
                person.abort()


logging.basicConfig(level=os.environ.get('LOG_LEVEL', 'CRITICAL'), stream=sys.stderr)
if __name__ == '__main__':
    asyncio.get_event_loop().run_until_complete(main())
