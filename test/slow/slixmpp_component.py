"""slixmpp as an external component: let in, asked, talked to, replaced. Prints ok NAME or not ok NAME, at last done."""
import asyncio
import os

import slixmpp
from slixmpp.exceptions import IqError

from slixmpp_client import check, DOMAIN, everyone, HOST, Person, ROMEO, WAIT

PORT = int(os.environ['XMPP_COMPONENT_PORT'])
COMPONENT, SECRET = os.environ['XMPP_COMPONENT'], os.environ['XMPP_COMPONENT_SECRET']


class Echo(slixmpp.ComponentXMPP):
    """Says back what it is told, and tells what it is."""

    def __init__(self, secret=SECRET):
        super().__init__(COMPONENT, secret, HOST, PORT)
        everyone.append(self)
        for plugin in ('xep_0030', 'xep_0199'):
            self.register_plugin(plugin)
        self.plugin['xep_0030'].add_identity(category='gateway', itype='irc', name='Echo')
        self.heard = {}
        for event in ('session_start', 'message', 'stream_error', 'disconnected', 'presence_available'):
            self.heard[event] = asyncio.Queue()
            self.add_event_handler(event, self.heard[event].put_nowait)
        self.add_event_handler('message', self.echo)
        # One connection is one check: no second try.
        self.add_event_handler('disconnected', lambda _: self.cancel_connection_attempt())

    def echo(self, message):
        if message['type'] != 'error':
            self.send_message(mto=message['from'], mfrom=message['to'], mbody=message['body'], mtype='chat')

    async def next(self, event):
        return await asyncio.wait_for(self.heard[event].get(), WAIT)

    async def start(self):
        self.connect()
        await self.next('session_start')
        return self

    async def leave(self):
        self.disconnect(wait=3)
        await self.next('disconnected')


async def wrong_secret():
    echo = Echo(secret='a guess')
    echo.connect()
    assert (await echo.next('stream_error'))['condition'] == 'not-authorized'
    assert echo.heard['session_start'].empty()


async def talk(romeo):
    echo = await Echo().start()
    one = await Person(romeo).online()
    text = 'Wherefore art thou <Rómeo> & "why"? \U0001F339'
    one.send_message(mto=f'anyone@{COMPONENT}/there', mbody=text, mtype='chat')
    heard = await one.next('message')
    assert heard['body'] == text and heard['from'].full == f'anyone@{COMPONENT}/there', heard
    one.send_presence(pto=f'anyone@{COMPONENT}')
    assert (await echo.next('presence_available'))['from'] == one.boundjid
    await one.leave()
    await echo.leave()


async def questions(romeo):
    echo = await Echo().start()
    one = await Person(romeo).online()
    items = await one.plugin['xep_0030'].get_items(jid=DOMAIN, timeout=WAIT)
    assert COMPONENT in [str(jid) for jid, _, _ in items['disco_items']['items']], items
    info = await one.plugin['xep_0030'].get_info(jid=COMPONENT, timeout=WAIT)
    assert ('gateway', 'irc', None, 'Echo') in info['disco_info']['identities'], info
    await one.plugin['xep_0199'].ping(COMPONENT, timeout=WAIT)
    await echo.plugin['xep_0199'].ping(DOMAIN, ifrom=COMPONENT, timeout=WAIT)
    await echo.leave()
    items = await one.plugin['xep_0030'].get_items(jid=DOMAIN, timeout=WAIT)
    assert COMPONENT not in [str(jid) for jid, _, _ in items['disco_items']['items']], items
    try:
        await one.plugin['xep_0030'].get_info(jid=COMPONENT, timeout=WAIT)
        raise AssertionError('a component that is away answered')
    except IqError as error:
        assert error.condition in ('remote-server-timeout', 'service-unavailable'), error.iq
    await one.leave()


async def replaced():
    older, newer = await Echo().start(), await Echo().start()
    assert (await older.next('stream_error'))['condition'] == 'conflict'
    await newer.plugin['xep_0199'].ping(DOMAIN, ifrom=COMPONENT, timeout=WAIT)
    await newer.leave()


async def main():
    romeo = f'{ROMEO}@{DOMAIN}'
    await check('a component with a wrong secret is not authorized', wrong_secret)
    await check('a component is talked to, and answers', talk, romeo)
    await check('disco, ping, and a component that is away', questions, romeo)
    await check('a second connection replaces the first', replaced)
    print('done')


if __name__ == '__main__':
    asyncio.get_event_loop().run_until_complete(main())
