-- storage: contacts, subscription states and pending requests (RFC 6121 §2, §3). No row in rosters is version 0.

CREATE TABLE rosters (
  account bigint PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
  version bigint NOT NULL
);

CREATE TABLE roster_items (
  account      bigint NOT NULL REFERENCES rosters ON DELETE CASCADE,
  jid          text COLLATE "C" NOT NULL,
  name         text NOT NULL,
  subscription text COLLATE "C" NOT NULL CHECK (subscription IN ('none', 'to', 'from', 'both')),
  ask          boolean NOT NULL,
  approved     boolean NOT NULL,
  groups       text[] NOT NULL,
  request      text,
  hidden       boolean NOT NULL,
  PRIMARY KEY (account, jid)
);
