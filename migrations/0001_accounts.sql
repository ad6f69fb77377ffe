-- storage: who may log in, and the keys that prove a password (RFC 5802 §3).

CREATE TABLE accounts (
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  domain          text COLLATE "C" NOT NULL,
  local           text COLLATE "C" NOT NULL,
  created_at      timestamptz NOT NULL,
  disabled_at     timestamptz,
  disabled_reason text,
  UNIQUE (domain, local),
  CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);

CREATE TABLE account_keys (
  account    bigint NOT NULL REFERENCES accounts ON DELETE CASCADE,
  hash       text COLLATE "C" NOT NULL,
  salt       bytea NOT NULL,
  iterations integer NOT NULL,
  stored_key bytea NOT NULL,
  server_key bytea NOT NULL,
  PRIMARY KEY (account, hash)
);
