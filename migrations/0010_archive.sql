-- archive: messages of accounts, for years (XEP-0313).
-- A month is a partition: months are made ahead, and dropped when nobody wants to keep them. id: 48 bits of milliseconds
-- first, so its order is that of the archive and the month follows from it. No foreign key: an account's messages go in
-- small steps after it (archive_removals). peer, resource: the other side. origin: what the sender calls the message.

CREATE TABLE archive (
  owner     bigint NOT NULL,
  id        uuid NOT NULL,
  origin    bigint,
  groupchat boolean NOT NULL,
  peer      text COLLATE "C" NOT NULL,
  resource  text COLLATE "C" NOT NULL,
  stanza    text NOT NULL,
  PRIMARY KEY (owner, id)
) PARTITION BY RANGE (id);

CREATE INDEX archive_peer ON archive (owner, peer, id);
CREATE INDEX archive_origin ON archive (owner, origin) WHERE origin IS NOT NULL;

-- A message that was delivered again under a second id, because nobody knew yet that it was there.
CREATE TABLE archive_aliases (
  owner bigint NOT NULL,
  alias uuid NOT NULL,
  id    uuid NOT NULL,
  PRIMARY KEY (owner, alias)
);

-- Owners whose messages are to go.
CREATE TABLE archive_removals (
  owner bigint PRIMARY KEY
);
