"""slixmpp: several devices of one account: copies, the archive, personal eventing, blocking, client state, resumption.
Prints ok NAME or not ok NAME, at last done."""
import asyncio
import hashlib
import logging
import os
import random
import sys

from slixmpp.exceptions import IqError

from slixmpp_client import DOMAIN, JULIET, ROMEO, WAIT, Person, check
from slixmpp.xmlstream import ET

PLUGINS = ('xep_0050', 'xep_0060', 'xep_0084', 'xep_0115', 'xep_0163', 'xep_0191', 'xep_0198', 'xep_0280', 'xep_0313',
           'xep_0352', 'xep_0402', 'xep_0441', 'xep_0490')
EVENTS = ('carbon_received', 'carbon_sent', 'avatar_metadata_publish', 'session_resumed', 'sm_enabled', 'blocked',
          'unblocked', 'pubsub_publish', 'pubsub_retract', 'message_error')


class Device(Person):
    """A client with what belongs to several devices."""

    def __init__(self, jid):
        super().__init__(jid)
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        for event in EVENTS:
            self.heard[event] = asyncio.Queue()
            self.add_event_handler(event, self.heard[event].put_nowait)
        # The event of a direct message; an archived or copied one is no `message` with a body.
        self.bodies = asyncio.Queue()
        self.add_event_handler('message', lambda stanza: stanza['body'] and self.bodies.put_nowait(stanza))

    async def hears(self, *bodies):
        for body in bodies:
            stanza = await asyncio.wait_for(self.bodies.get(), WAIT)
            assert stanza['body'] == body, (body, stanza)

    def says(self, to, body):
        self.send_message(mto=to, mbody=body, mtype='chat')

    async def ping(self):
        await self.plugin['xep_0199'].ping(DOMAIN, timeout=WAIT)

    async def start(self, direct=False):
        await super().start(direct)
        # What it wants to be told belongs to the resource.
        self.plugin['xep_0163'].add_interest('urn:xmpp:bookmarks:1')
        return self

    async def online(self):
        await super().online()
        # The server asks what it wants to be told; the answer to that is before the second of these.
        await self.ping()
        await self.ping()
        return self

    async def leave(self):
        # XEP-0198 §4: by itself it leaves without saying what it has heard, which would come again.
        self.plugin['xep_0198'].send_ack()
        await super().leave()

    async def cut(self):
        """The connection is gone without a word."""
        self.transport.abort()
        await self.next('disconnected')


async def main():
    romeo, juliet = f'{ROMEO}@{DOMAIN}', f'{JULIET}@{DOMAIN}'
    await check('discovery: what account and domain say they can', discovery, romeo)
    await check('carbons: another device hears what was said and what was heard', carbons, romeo, juliet)
    await check('archive: pages from either end, the same for both, preferences', archive, romeo, juliet)
    await check('avatars: published, told to a contact, fetched', avatars, romeo, juliet)
    await check('bookmarks: published, told, retracted', bookmarks, romeo)
    await check('blocking: a blocked contact is not heard, until unblocked', blocking, romeo, juliet)
    await check('stream management: cut off, it resumes and misses nothing', resumption, romeo, juliet)
    await check('a phone cut off at random and a desktop end with the same history', same_history, romeo, juliet)
    await check('client state: what matters comes at once, and all of it in order', client_state, romeo, juliet)
    await check('commands: neither told nor run for those who may not', commands, romeo)
    print('done')


async def discovery(romeo):
    one = await Device(romeo).online()

    async def features(jid):
        info = await one.plugin['xep_0030'].get_info(jid=jid, timeout=WAIT)
        return set(info['disco_info']['features'])
    account = await features(romeo)
    wanted = {'urn:xmpp:mam:2', 'urn:xmpp:push:0', 'urn:xmpp:bookmarks:1#compat', 'urn:xmpp:pep-vcard-conversion:0',
              'http://jabber.org/protocol/pubsub#publish-options'}
    assert wanted <= account, wanted - account
    wanted = {'urn:xmpp:carbons:2', 'urn:xmpp:blocking'}
    domain = await features(DOMAIN)
    assert wanted <= domain, wanted - domain
    await one.leave()


async def carbons(romeo, juliet):
    one, phone, desktop = await Device(romeo).online(), await Device(juliet).online(), await Device(juliet).online()
    await phone.plugin['xep_0280'].enable(timeout=WAIT)
    one.says(desktop.boundjid.full, 'for the desktop')
    await desktop.hears('for the desktop')
    copy = await phone.next('carbon_received')
    assert copy['carbon_received']['body'] == 'for the desktop', copy
    desktop.says(romeo, 'from the desktop')
    await one.hears('from the desktop')
    copy = await phone.next('carbon_sent')
    assert copy['carbon_sent']['body'] == 'from the desktop', copy
    for device in (one, phone, desktop):
        await device.leave()


async def archive(romeo, juliet):
    one, two = await Device(romeo).online(), await Device(juliet).online()
    lines = [f'archived {number}' for number in range(23)]
    for line in lines:
        one.says(juliet, line)
    await two.hears(*lines)

    def body(result):
        return result['mam_result']['forwarded']['stanza']['body']
    for device, other in ((one, juliet), (two, romeo)):
        mam = device.plugin['xep_0313']
        forward = [body(result) async for result in mam.iterate(with_jid=other, rsm={'max': 10})]
        assert forward[-len(lines):] == lines, forward
        # Backwards it takes the newest page for the last one there is.
        backward = [body(result) async for result in mam.iterate(with_jid=other, reverse=True, rsm={'max': 200})]
        assert backward == forward[::-1], backward
        newest = [body(result) async for result in mam.iterate(with_jid=other, reverse=True, total=5)]
        assert newest == lines[:-6:-1], newest
        ends = (await mam.get_archive_metadata(timeout=WAIT))['mam_metadata']
        assert ends['start']['id'] != ends['end']['id'] and ends['end']['timestamp'], ends
    preferences = one.plugin['xep_0441']
    await preferences.set_preferences('roster', always=[juliet], never=[], timeout=WAIT)
    default, always, never = await preferences.get_preferences(timeout=WAIT)
    assert (default, [str(jid) for jid in always], list(never)) == ('roster', [juliet], []), (default, always, never)
    await preferences.set_preferences('always', always=[], never=[], timeout=WAIT)
    await one.leave()
    await two.leave()


async def avatars(romeo, juliet):
    one, two = await Device(romeo).online(), await Device(juliet).online()
    for asker, asked in ((one, two), (two, one)):
        asker.send_presence_subscription(asked.boundjid.bare)
        await asked.next('presence_subscribe', lambda presence: presence['from'].bare == asker.boundjid.bare)
        asked.send_presence(pto=asker.boundjid.bare, ptype='subscribed')
        await asker.next('presence_available', lambda presence: presence['from'] == asked.boundjid)
    image = bytes.fromhex('89504e470d0a1a0a0000000d49484452')
    sha = hashlib.sha1(image).hexdigest()
    plugin = one.plugin['xep_0084']
    await plugin.publish_avatar(image, timeout=WAIT)
    await plugin.publish_avatar_metadata({'id': sha, 'type': 'image/png', 'bytes': len(image)}, timeout=WAIT)
    told = await two.next('avatar_metadata_publish', lambda stanza: stanza['from'].bare == romeo)
    [info] = told['pubsub_event']['items']['item']['avatar_metadata']['items']
    assert (info['id'], info['type'], int(info['bytes'])) == (sha, 'image/png', len(image)), told
    fetched = await two.plugin['xep_0084'].retrieve_avatar(romeo, sha, timeout=WAIT)
    assert fetched['pubsub']['items']['item']['avatar_data']['value'] == image, fetched
    # XEP-0398: clients that know vCards only see the same one.
    card = await two.plugin['xep_0054'].get_vcard(romeo, timeout=WAIT)
    assert card['vcard_temp']['PHOTO']['BINVAL'] == image, card
    await one.leave()
    await two.leave()


async def bookmarks(romeo):
    phone, desktop = await Device(romeo).online(), await Device(romeo).online()
    node, room = 'urn:xmpp:bookmarks:1', 'theplay@conference.example'
    payload = ET.fromstring(f'<conference xmlns="{node}" name="The Play" autojoin="true"><nick>Romeo</nick></conference>')
    await phone.plugin['xep_0060'].publish(None, node, id=room, payload=payload, timeout=WAIT)
    told = await desktop.next('pubsub_publish', lambda stanza: stanza['pubsub_event']['items']['node'] == node)
    item = told['pubsub_event']['items']['item']
    assert item['id'] == room and item.xml.find(f'.//{{{node}}}nick').text == 'Romeo', told
    found = await desktop.plugin['xep_0060'].get_items(None, node, timeout=WAIT)
    [item] = found['pubsub']['items']
    assert (item['id'], item['conference']['name'], item['conference']['autojoin']) == (room, 'The Play', True), item
    await phone.plugin['xep_0060'].retract(None, node, room, notify=True, timeout=WAIT)
    await desktop.next('pubsub_retract')
    found = await desktop.plugin['xep_0060'].get_items(None, node, timeout=WAIT)
    assert not list(found['pubsub']['items']), found
    await phone.leave()
    await desktop.leave()


async def blocking(romeo, juliet):
    one, two = await Device(romeo).online(), await Device(juliet).online()
    plugin = two.plugin['xep_0191']
    await plugin.block(romeo, timeout=WAIT)
    assert {str(jid) for jid in await plugin.get_blocked_jids(timeout=WAIT)} == {romeo}
    one.says(juliet, 'unheard')
    bounce = await one.next('message_error')
    assert bounce['error']['condition'] == 'service-unavailable', bounce
    try:
        two.says(romeo, 'not while you block')
        own = await two.next('message_error')
        assert own['error']['condition'] == 'not-acceptable', own
    finally:
        await plugin.unblock(romeo, timeout=WAIT)
    assert not await plugin.get_blocked_jids(timeout=WAIT)
    one.says(juliet, 'heard again')
    await two.hears('heard again')
    await one.leave()
    await two.leave()


async def resumption(romeo, juliet):
    one, two = await Device(romeo).online(), await Device(juliet).online()
    await two.next('sm_enabled')
    bound = two.boundjid.full
    one.says(juliet, 'before')
    await two.hears('before')
    await two.cut()
    meanwhile = [f'meanwhile {number}' for number in range(20)]
    for line in meanwhile:
        one.says(juliet, line)
    await one.ping()
    await back(two)
    await two.hears(*meanwhile)
    await two.ping()
    assert two.bodies.empty(), 'some came twice'
    assert two.boundjid.full == bound, two.boundjid
    two.says(romeo, 'after')
    await one.hears('after')
    await one.leave()
    await two.leave()


async def same_history(romeo, juliet):
    one, phone, desktop = await Device(romeo).online(), await Device(juliet).online(), await Device(juliet).online()
    await phone.next('sm_enabled')
    for device in (phone, desktop):
        await device.plugin['xep_0280'].enable(timeout=WAIT)
    seen = {phone: [], desktop: []}
    for device, history in seen.items():
        device.add_event_handler('message', lambda stanza, add=history.append: stanza['body'] and add(stanza['body']))
        device.add_event_handler('carbon_sent', lambda stanza, add=history.append: add(stanza['carbon_sent']['body']))
    dice, words, cuts = random.Random(7), [], 0
    for number in range(150):
        words.append(f'line {number}')
        if dice.random() < 0.3:
            # Its own words, which the phone hears as copies, and the desktop not again.
            desktop.says(romeo, words[-1])
            seen[desktop].append(words[-1])
        else:
            one.says(juliet, words[-1])
        if dice.random() < 0.2:
            await asyncio.sleep(dice.random() / 20)
        if dice.random() < 0.07 and phone.transport:
            await phone.cut()
            cuts += 1
        elif dice.random() < 0.1 and not phone.transport:
            await back(phone)
    if not phone.transport:
        await back(phone)
    assert cuts >= 3, cuts
    for device in (one, desktop, phone):
        await device.ping()

    async def complete():
        while min(map(len, seen.values())) < len(words):
            await asyncio.sleep(0.05)
    await asyncio.wait_for(complete(), WAIT)
    # The two who speak are not in step with each other; what each of them says is.
    said = {word: number for number, word in enumerate(words)}
    for history in seen.values():
        assert sorted(history, key=said.get) == words, history
    mam = [result['mam_result']['forwarded']['stanza']['body']
           async for result in phone.plugin['xep_0313'].iterate(with_jid=romeo, rsm={'max': 100})][-len(words):]
    assert sorted(mam, key=said.get) == words, mam
    for device in (one, phone, desktop):
        await device.leave()


async def back(device):
    device.connect('127.0.0.1', int(os.environ['XMPP_PORT']))
    await device.next('session_resumed')


async def client_state(romeo, juliet):
    one, two = await Device(romeo).online(), await Device(juliet).online()
    assert two.plugin['xep_0352'].enabled
    two.plugin['xep_0352'].send_inactive()
    await two.ping()
    while not two.heard['changed_status'].empty():
        two.heard['changed_status'].get_nowait()
    one.send_presence(pshow='away')
    one.says(juliet, 'this matters')
    await two.hears('this matters')
    one.send_presence(pshow='dnd')
    await one.ping()
    two.plugin['xep_0352'].send_active()
    await two.next('changed_status', lambda presence: presence['show'] == 'dnd')
    await one.leave()
    await two.leave()


async def commands(romeo):
    one = await Device(romeo).online()
    # XEP-0050 §3.1, XEP-0133 §3.1: neither the list nor what is on it is for everybody.
    plugin = one.plugin['xep_0050']
    for refused in (plugin.get_commands(DOMAIN, timeout=WAIT),
                    plugin.send_command(DOMAIN, 'http://jabber.org/protocol/admin#delete-user', timeout=WAIT)):
        try:
            raise AssertionError(f'anybody may do that: {await refused}')
        except IqError as error:
            assert error.condition == 'forbidden', error.iq
    await one.leave()


logging.basicConfig(level=os.environ.get('LOG_LEVEL', 'CRITICAL'), stream=sys.stderr)
if __name__ == '__main__':
    asyncio.get_event_loop().run_until_complete(main())
