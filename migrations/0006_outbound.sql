-- storage: messages to other servers that these have not acknowledged (RFC 6120 §10.4, XEP-0198), in order of id.
-- tag: chosen by the writer, so that a batch can be written again after a lost connection without doubling.

CREATE TABLE outbound (
  id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tag     bigint NOT NULL UNIQUE,
  sender  text NOT NULL,
  target  text NOT NULL,
  at      timestamptz NOT NULL,
  stanza  text NOT NULL
);
