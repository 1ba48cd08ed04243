-- Every API key has a policy. Every change of a key or of its policy raises the policy's version and is queued for
-- Redis in the same statement. apikey_made holds a copy of personalTenantId in src/identity/standing.ts: change both
-- together.

-- Gives every key a policy, whichever code inserts the key. A person's key acts in the person's personal tenant by
-- default.
CREATE OR REPLACE FUNCTION apikey_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO api_key_policy (key_id, tenant_id, chain_id)
  VALUES (NEW.id, CASE WHEN NEW.config_id = 'default' THEN 'personal-' || NEW.reference_id ELSE NEW.reference_id END, NEW.id)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER apikey_made AFTER INSERT ON apikey FOR EACH ROW EXECUTE FUNCTION apikey_made();

-- A revoked key stays disabled; an update that enables it has no effect.
CREATE OR REPLACE FUNCTION apikey_stays_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.enabled AND EXISTS (SELECT 1 FROM api_key_policy WHERE key_id = NEW.id AND revoked_at IS NOT NULL) THEN
    NEW.enabled := false;
  END IF;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER apikey_stays_revoked BEFORE UPDATE OF enabled ON apikey
FOR EACH ROW EXECUTE FUNCTION apikey_stays_revoked();

-- Better Auth counts requests in this row. Only these columns are part of the record that the Worker caches.
CREATE OR REPLACE FUNCTION apikey_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE api_key_policy SET version = version + 1 WHERE key_id = NEW.id;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER apikey_changed AFTER UPDATE ON apikey FOR EACH ROW
WHEN ((OLD.key, OLD.enabled, OLD.expires_at, OLD.permissions, OLD.name, OLD.reference_id, OLD.config_id)
  IS DISTINCT FROM (NEW.key, NEW.enabled, NEW.expires_at, NEW.permissions, NEW.name, NEW.reference_id, NEW.config_id))
EXECUTE FUNCTION apikey_changed();

CREATE OR REPLACE FUNCTION api_key_policy_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.version = OLD.version THEN
    NEW.version := OLD.version + 1;
  END IF;
  INSERT INTO outbox (target, version) SELECT 'key:' || key, NEW.version FROM apikey WHERE id = NEW.key_id;
  RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER api_key_policy_changed BEFORE UPDATE ON api_key_policy FOR EACH ROW
WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION api_key_policy_changed();

-- Runs before the row is deleted, while the policy still has the version.
CREATE OR REPLACE FUNCTION apikey_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox (target, version, dead)
  VALUES ('key:' || OLD.key, coalesce((SELECT version FROM api_key_policy WHERE key_id = OLD.id), 0) + 1, true);
  RETURN OLD;
END $$;

CREATE OR REPLACE TRIGGER apikey_gone BEFORE DELETE ON apikey FOR EACH ROW EXECUTE FUNCTION apikey_gone();
