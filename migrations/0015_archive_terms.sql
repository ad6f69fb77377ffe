-- archive: how long single archives are kept, in milliseconds, where that is shorter than what their domain says.
CREATE TABLE archive_terms (
  owner bigint PRIMARY KEY,
  ms    bigint NOT NULL
);
