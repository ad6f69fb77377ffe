-- storage: which messages of other servers were kept offline, so that one that is sent again is not kept twice.
-- Rows are removed after a day.

CREATE TABLE arrivals (
  account bigint NOT NULL,
  key     bytea NOT NULL,
  at      timestamptz NOT NULL,
  PRIMARY KEY (account, key)
);
CREATE INDEX arrivals_at ON arrivals (at);
