-- storage: what an account may do beside using the server.

ALTER TABLE accounts ADD COLUMN role text COLLATE "C"
  CHECK (role IN ('admin', 'domain-admin', 'operator'));

CREATE INDEX accounts_role ON accounts (domain, local) WHERE role IS NOT NULL;
CREATE INDEX accounts_disabled ON accounts (domain, local) WHERE disabled_at IS NOT NULL;
