-- rooms: one that was never set up by its creator is open for nobody else, also after a restart (XEP-0045 §10.1.1).
ALTER TABLE rooms ADD COLUMN locked boolean NOT NULL DEFAULT false;
