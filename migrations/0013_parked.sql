-- storage: sessions of clients that a stop interrupted (XEP-0198), until they go on or end.
-- No foreign key: one session of a removed account must not refuse the whole batch that it came in. Who reads asks for
-- the account.
-- id: the client resumes by it; sorted bytewise. claimed: a process has taken it over and has not come to its end.

CREATE TABLE parked (
  id       text COLLATE "C" PRIMARY KEY,
  domain   text NOT NULL,
  account  bigint NOT NULL,
  until    timestamptz NOT NULL,
  state    text NOT NULL,
  queue    text NOT NULL,
  claimed  boolean NOT NULL DEFAULT false
);
