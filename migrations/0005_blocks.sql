-- storage: domains that nothing is exchanged with. domain: `spam.example`, or `*.spam.example` for all below it as well.

CREATE TABLE blocks (
  domain  text COLLATE "C" PRIMARY KEY,
  reason  text NOT NULL,
  since   timestamptz NOT NULL,
  expires timestamptz
);
