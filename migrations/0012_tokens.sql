-- c2s: what proves that a client was given a token (XEP-0484). The token itself is made of it and of what is kept elsewhere.

CREATE TABLE tokens (
  account    bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
  client     text COLLATE "C" NOT NULL,
  seed       bytea NOT NULL,
  mechanism  text COLLATE "C" NOT NULL,
  software   text,
  device     text,
  issued_at  timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used       boolean NOT NULL DEFAULT false,
  count      integer NOT NULL DEFAULT 0,
  PRIMARY KEY (account, client, seed)
);
