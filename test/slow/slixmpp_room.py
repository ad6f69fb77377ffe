"""slixmpp in a room, for rooms.mjs: each line of stdin is [name, ...arguments] in JSON, each line of stdout what came of it."""
import asyncio
import base64
import json
import logging
import os
import sys
from datetime import datetime, timedelta, timezone

import slixmpp
from slixmpp import JID
from slixmpp.exceptions import IqError

WAIT = 30
PLUGINS = ('xep_0030', 'xep_0045', 'xep_0054', 'xep_0153', 'xep_0199', 'xep_0203', 'xep_0249', 'xep_0313', 'xep_0359',
           'xep_0410', 'xep_0421', 'xep_0424', 'xep_0425')


class Person:
    """What rooms.mjs can ask for."""

    client = room = nick = None

    async def online(self, jid, password, port):
        self.client = client = slixmpp.ClientXMPP(jid, password)
        client.ca_certs = os.environ['XMPP_CA']
        for plugin in PLUGINS:
            client.register_plugin(plugin)
        client.enable_plaintext = False
        self.heard = []
        self.news = asyncio.Condition()
        for event in ('groupchat_message', 'groupchat_subject', 'moderated_message', 'groupchat_presence',
                      'groupchat_message_error'):
            client.add_event_handler(event, lambda stanza, event=event: self.hears(event, stanza))
        started = asyncio.get_event_loop().create_future()
        client.add_event_handler('session_start', lambda _: started.done() or started.set_result(True))
        client.connect('127.0.0.1', port)
        await started
        client.send_presence()
        await client.get_roster()
        return client.boundjid.full

    def hears(self, event, stanza):
        self.heard.append((event, stanza))

        async def wake():
            async with self.news:
                self.news.notify_all()
        asyncio.ensure_future(wake())

    async def until(self, event, fits):
        async with self.news:
            while True:
                for at, (name, stanza) in enumerate(self.heard):
                    if name == event and fits(stanza):
                        return self.heard.pop(at)[1]
                await self.news.wait()

    async def gone(self):
        """The network has failed, and the client knows."""
        if self.client.transport:
            await self.client.wait_until('disconnected', WAIT)

    async def join(self, room, nick):
        self.room, self.nick = JID(room), nick
        own, subject, occupants, history = await self.client.plugin['xep_0045'].join_muc_wait(self.room, nick, maxstanzas=20)
        return {
            'codes': sorted(own['muc']['status_codes']),
            'nicks': [presence['from'].resource for presence in occupants if presence['from'].resource != nick],
            'history': [message['body'] for message in history if message['body']],
        }

    async def configure(self, values):
        """The owner's form as it is but for these values (XEP-0045 §10.1.3)."""
        muc = self.client.plugin['xep_0045']
        form = await muc.get_room_config(self.room)
        missing = set(values) - set(form.get_fields())
        if missing:
            raise ValueError(f'the form has no {missing}')
        answer = self.client.plugin['xep_0004'].make_form(ftype='submit')
        for name, field in form.get_fields().items():
            kind = field['type'] or 'text-single'
            if kind == 'fixed':
                continue
            value = values.get(name, field['value'])
            answer.add_field(var=name, ftype=kind, value=value)
        await muc.set_room_config(self.room, answer)

    async def invite(self, jid, reason):
        self.client.plugin['xep_0045'].invite(self.room, jid, reason)

    async def invite_directly(self, jid, reason):
        self.client.plugin['xep_0249'].send_invitation(JID(jid), self.room, reason=reason)

    async def say(self, body):
        self.client.send_message(mto=self.room, mbody=body, mtype='groupchat')

    async def hear(self, body):
        """From whom, the room's id, and the id of the occupant (XEP-0359, XEP-0421)."""
        message = await self.until('groupchat_message', lambda message: message['body'] == body)
        ids = [element.attrib['id'] for element in message.xml.findall('{urn:xmpp:sid:0}stanza-id')
               if element.attrib['by'] == str(self.room)]
        return [message['from'].resource, ids[0] if ids else None, message['occupant-id']['id']]

    async def moderate(self, stanza_id, reason):
        await self.client.plugin['xep_0425'].moderate(self.room, stanza_id, reason, timeout=WAIT)

    async def sees_moderated(self):
        message = await self.until('moderated_message', lambda message: True)
        return [message['retract']['id'], message['retract']['reason']]

    async def role(self, nick, role):
        await self.client.plugin['xep_0045'].set_role(self.room, nick, role, timeout=WAIT)

    async def affiliation(self, jid, affiliation):
        await self.client.plugin['xep_0045'].set_affiliation(self.room, affiliation, jid=JID(jid), timeout=WAIT)

    async def subject(self, text):
        self.client.plugin['xep_0045'].set_subject(self.room, text)

    async def sees_subject(self, text):
        await self.until('groupchat_subject', lambda message: message['subject'] == text)

    async def sees(self, nick, kind, role):
        """Presence of somebody in the room."""
        await self.until('groupchat_presence', lambda presence: presence['from'].resource == nick
                         and presence['type'] == kind and presence['muc']['role'] == role)

    async def give_avatar(self, data):
        """XEP-0486: the room's own vCard has the picture."""
        card = self.client.plugin['xep_0054'].make_vcard()
        card['PHOTO']['TYPE'] = 'image/png'
        card['PHOTO']['BINVAL'] = base64.b64decode(data)
        iq = self.client.make_iq_set(ito=self.room)
        iq.append(card)
        await iq.send(timeout=WAIT)

    async def avatar(self, of):
        iq = await self.client.plugin['xep_0054'].get_vcard(JID(of), cached=False, timeout=WAIT)
        return base64.b64encode(iq['vcard_temp']['PHOTO']['BINVAL']).decode()

    async def is_in(self):
        """XEP-0410"""
        own = JID(f'{self.room}/{self.nick}')
        status = await self.client.plugin['xep_0410'].send_self_ping(own, self.client.boundjid, timeout=WAIT)
        return status.name

    async def archive(self):
        """Ids, senders and bodies of all that the room has kept; a tombstone has no body (XEP-0313, XEP-0424)."""
        found = []
        begin = datetime.now(timezone.utc) - timedelta(hours=1)
        async for message in self.client.plugin['xep_0313'].iterate(jid=self.room, start=begin, rsm={'max': 5}):
            result = message['mam_result']
            kept = result['forwarded']['stanza']
            if kept['body']:
                found.append([result['id'], kept['from'].resource, kept['body']])
            elif kept.xml.find('{urn:xmpp:message-retract:1}retracted') is not None:
                found.append([result['id'], kept['from'].resource, None])
        return found

    async def stop(self):
        await self.client.disconnect()


async def main():
    person = Person()
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_event_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        name, *args = json.loads(line)
        try:
            answer = {'value': await asyncio.wait_for(getattr(person, name)(*args), WAIT)}
        except IqError as error:
            answer = {'error': error.condition}
        except Exception as error:  # whatever it is, rooms.mjs tells it
            answer = {'error': f'{type(error).__name__} {error}'}
        print(json.dumps(answer), flush=True)


logging.basicConfig(level=os.environ.get('LOG_LEVEL', 'CRITICAL'), stream=sys.stderr)
asyncio.new_event_loop().run_until_complete(main())
