-- rooms: group chat (XEP-0045): what owners set, who has a standing, and who is in.

-- The archive of a room has its negative id as owner. config: by field, as JSON; json, not jsonb: it keeps the order and
-- all that strings may hold. public, name, description: what lists show; searched: what they look in, in lower case.
-- version: of the affiliations (XEP-0463); changes before forgotten are not known any more.
CREATE TABLE rooms (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  domain      text COLLATE "C" NOT NULL,
  local       text COLLATE "C" NOT NULL,
  creator     text COLLATE "C" NOT NULL,
  created_at  timestamptz NOT NULL,
  persistent  boolean NOT NULL,
  config      json NOT NULL,
  subject     json,
  public      boolean NOT NULL,
  name        text NOT NULL,
  description text NOT NULL,
  searched    text NOT NULL,
  version     bigint NOT NULL,
  forgotten   bigint NOT NULL DEFAULT 0,
  UNIQUE (domain, local)
);
CREATE INDEX rooms_creator ON rooms (creator);

-- jid: bare, or a domain. affiliation none: taken away, remembered for differences. registration: the form of §7.10.
CREATE TABLE room_affiliations (
  room         bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  jid          text COLLATE "C" NOT NULL,
  affiliation  text COLLATE "C" NOT NULL CHECK (affiliation IN ('owner', 'admin', 'member', 'outcast', 'none')),
  reason       text,
  nick         text,
  registration json,
  version      bigint NOT NULL,
  PRIMARY KEY (room, jid)
);
CREATE INDEX room_affiliations_jid ON room_affiliations (jid) WHERE affiliation <> 'none';
CREATE INDEX room_affiliations_version ON room_affiliations (room, version);

-- Who is in, by full JID; told after a crash.
CREATE TABLE room_occupants (
  room bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  jid  text COLLATE "C" NOT NULL,
  nick text NOT NULL,
  PRIMARY KEY (room, jid)
);

-- What features keep that is not loaded with the room.
CREATE TABLE room_values (
  room  bigint NOT NULL REFERENCES rooms ON DELETE CASCADE,
  name  text COLLATE "C" NOT NULL,
  value json NOT NULL,
  PRIMARY KEY (room, name)
);
