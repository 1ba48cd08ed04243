-- Raises the epochs of tenants and users, in one order whatever the order of the changes, and notes them for Redis in the same statement.
CREATE OR REPLACE FUNCTION raise_epochs(p_subjects text[]) RETURNS void LANGUAGE sql AS $$
  WITH raised AS (
    INSERT INTO epoch (subject, value)
    SELECT subject, 1 FROM (SELECT DISTINCT unnest(p_subjects) AS subject ORDER BY 1) AS changed WHERE subject IS NOT NULL
    ON CONFLICT (subject) DO UPDATE SET value = epoch.value + 1
    RETURNING subject, value
  )
  INSERT INTO outbox (target, version) SELECT 'epoch:' || subject, value FROM raised
$$;--> statement-breakpoint
-- Every key has a policy, whoever makes it. A person's key acts in the person's own tenant unless its maker says otherwise.
CREATE OR REPLACE FUNCTION apikey_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO api_key_policy (key_id, tenant_id, chain_id)
  VALUES (NEW.id, CASE WHEN NEW.config_id = 'default' THEN 'personal-' || NEW.reference_id ELSE NEW.reference_id END, NEW.id)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER apikey_made AFTER INSERT ON apikey FOR EACH ROW EXECUTE FUNCTION apikey_made();--> statement-breakpoint
-- A revoked key stays revoked, whoever enables it.
CREATE OR REPLACE FUNCTION apikey_stays_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.enabled AND EXISTS (SELECT 1 FROM api_key_policy WHERE key_id = NEW.id AND revoked_at IS NOT NULL) THEN
    NEW.enabled := false;
  END IF;
  RETURN NEW;
END $$;--> statement-breakpoint
CREATE TRIGGER apikey_stays_revoked BEFORE UPDATE OF enabled ON apikey FOR EACH ROW EXECUTE FUNCTION apikey_stays_revoked();--> statement-breakpoint
CREATE OR REPLACE FUNCTION apikey_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE api_key_policy SET version = version + 1 WHERE key_id = NEW.id;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER apikey_changed AFTER UPDATE ON apikey FOR EACH ROW
WHEN ((OLD.key, OLD.enabled, OLD.expires_at, OLD.permissions, OLD.name, OLD.reference_id, OLD.config_id)
  IS DISTINCT FROM (NEW.key, NEW.enabled, NEW.expires_at, NEW.permissions, NEW.name, NEW.reference_id, NEW.config_id))
EXECUTE FUNCTION apikey_changed();--> statement-breakpoint
CREATE OR REPLACE FUNCTION api_key_policy_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.version = OLD.version THEN
    NEW.version := OLD.version + 1;
  END IF;
  INSERT INTO outbox (target, version) SELECT 'key:' || key, NEW.version FROM apikey WHERE id = NEW.key_id;
  RETURN NEW;
END $$;--> statement-breakpoint
CREATE TRIGGER api_key_policy_changed BEFORE UPDATE ON api_key_policy FOR EACH ROW
WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION api_key_policy_changed();--> statement-breakpoint
CREATE OR REPLACE FUNCTION apikey_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox (target, version, dead)
  VALUES ('key:' || OLD.key, coalesce((SELECT version FROM api_key_policy WHERE key_id = OLD.id), 0) + 1, true);
  RETURN OLD;
END $$;--> statement-breakpoint
CREATE TRIGGER apikey_gone BEFORE DELETE ON apikey FOR EACH ROW EXECUTE FUNCTION apikey_gone();--> statement-breakpoint
-- Who is in which tenant, and as what. A personal tenant with its owner comes into being before anybody could know it.
CREATE OR REPLACE FUNCTION members_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || user_id)) FROM added WHERE organization_id <> 'personal-' || user_id;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE OR REPLACE FUNCTION members_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || user_id)) FROM removed;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER members_joined AFTER INSERT ON member REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION members_joined();--> statement-breakpoint
CREATE TRIGGER members_changed AFTER UPDATE ON member REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION members_changed();--> statement-breakpoint
CREATE TRIGGER members_left AFTER DELETE ON member REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION members_changed();--> statement-breakpoint
CREATE OR REPLACE FUNCTION users_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || o.id)) FROM removed o LEFT JOIN added n ON n.id = o.id
  WHERE (o.role, o.banned, o.ban_expires) IS DISTINCT FROM (n.role, n.banned, n.ban_expires) OR n.id IS NULL;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER users_changed AFTER UPDATE ON "user" REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION users_changed();--> statement-breakpoint
CREATE OR REPLACE FUNCTION users_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || id)) FROM removed;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER users_gone AFTER DELETE ON "user" REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION users_gone();--> statement-breakpoint
-- What a tenant is and has.
CREATE OR REPLACE FUNCTION tenants_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('t:' || id)) FROM removed;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER tenants_gone AFTER DELETE ON organization REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION tenants_gone();--> statement-breakpoint
CREATE OR REPLACE FUNCTION tenant_rows_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('t:' || tenant_id)) FROM changed;
  RETURN NULL;
END $$;--> statement-breakpoint
CREATE TRIGGER tenant_policy_made AFTER INSERT ON tenant_policy REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();--> statement-breakpoint
CREATE TRIGGER tenant_policy_changed AFTER UPDATE ON tenant_policy REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();--> statement-breakpoint
CREATE TRIGGER tenant_policy_gone AFTER DELETE ON tenant_policy REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();--> statement-breakpoint
CREATE TRIGGER upstream_server_made AFTER INSERT ON upstream_server REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();--> statement-breakpoint
CREATE TRIGGER upstream_server_changed AFTER UPDATE ON upstream_server REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();--> statement-breakpoint
CREATE TRIGGER upstream_server_gone AFTER DELETE ON upstream_server REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();--> statement-breakpoint
-- Keys that are there already.
INSERT INTO api_key_policy (key_id, tenant_id, chain_id)
SELECT id, CASE WHEN config_id = 'default' THEN 'personal-' || reference_id ELSE reference_id END, id FROM apikey ON CONFLICT DO NOTHING;
