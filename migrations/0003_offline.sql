-- storage: messages that wait for an account to come back (XEP-0160).
-- No foreign key: one message for a removed account must not refuse the whole batch that it came in. The insert
-- joins the accounts and locks them instead, and the removal of an account deletes its messages.
-- tag: chosen by the writer, so that a batch can be written again after a lost connection without doubling.

CREATE TABLE offline (
  account bigint NOT NULL,
  id      bigint GENERATED ALWAYS AS IDENTITY,
  tag     bigint NOT NULL,
  at      timestamptz NOT NULL,
  stanza  text NOT NULL,
  PRIMARY KEY (account, id)
);
