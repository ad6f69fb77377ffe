-- pubsub: a service's nodes are read with who has to do with them, so nothing looks for these by address.

DROP INDEX pubsub_affiliations_jid;
DROP INDEX pubsub_subscriptions_bare;
ALTER TABLE pubsub_subscriptions DROP COLUMN bare;
