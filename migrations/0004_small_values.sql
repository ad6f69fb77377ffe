-- storage: small JSON values per account and module. json, not jsonb: it keeps what strings of JSON may hold (U+0000).

CREATE TABLE small_values (
  domain text COLLATE "C" NOT NULL,
  local  text COLLATE "C" NOT NULL,
  module text COLLATE "C" NOT NULL,
  key    text COLLATE "C" NOT NULL,
  value  json NOT NULL,
  PRIMARY KEY (domain, local, module, key)
);
