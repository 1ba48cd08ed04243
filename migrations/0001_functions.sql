-- What drizzle-kit cannot express: an index that Better Auth's generated schema lacks, the functions, the triggers, the view api_key_check,
-- and what the registry's search needs. The current source of each function, trigger and view is a file src/**/*.sql: change it there,
-- and repeat it in a new migration. test/stack/functions.test.ts compares the two.

-- The hash of a key finds one row: the index that Better Auth generates is not unique.
DROP INDEX "apikey_key_idx";
--> statement-breakpoint
CREATE UNIQUE INDEX "apikey_key_idx" ON "apikey" USING btree ("key");
--> statement-breakpoint
-- src/platform/epochs.sql
-- Raises the epochs of tenants (t:<id>) and users (u:<id>) and queues the new values for Redis in the same statement. Subjects are
-- raised in alphabetical order, so that two statements that change the same rows do not deadlock.
CREATE OR REPLACE FUNCTION raise_epochs(p_subjects text[]) RETURNS void LANGUAGE sql AS $$
  WITH raised AS (
    INSERT INTO epoch (subject, value)
    SELECT subject, 1 FROM (SELECT DISTINCT unnest(p_subjects) AS subject ORDER BY 1) AS changed WHERE subject IS NOT NULL
    ON CONFLICT (subject) DO UPDATE SET value = epoch.value + 1
    RETURNING subject, value
  )
  INSERT INTO outbox (target, version) SELECT 'epoch:' || subject, value FROM raised
$$;
--> statement-breakpoint
-- For triggers on tables with a tenant_id: raises the epochs of the tenants whose rows changed.
CREATE OR REPLACE FUNCTION tenant_rows_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('t:' || tenant_id)) FROM changed;
  RETURN NULL;
END $$;
--> statement-breakpoint
-- src/identity/epochs.sql
-- A personal organization and its owner are made before any credential could act there: their epoch need not rise.
CREATE OR REPLACE FUNCTION members_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || user_id)) FROM added WHERE organization_id <> 'personal-' || user_id;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE FUNCTION members_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || user_id)) FROM removed;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER members_joined AFTER INSERT ON member
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION members_joined();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER members_changed AFTER UPDATE ON member
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION members_changed();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER members_left AFTER DELETE ON member
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION members_changed();
--> statement-breakpoint
-- Only role and ban of a user decide what they may do; a changed id counts as removed.
CREATE OR REPLACE FUNCTION users_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || o.id)) FROM removed o LEFT JOIN added n ON n.id = o.id
  WHERE (o.role, o.banned, o.ban_expires) IS DISTINCT FROM (n.role, n.banned, n.ban_expires) OR n.id IS NULL;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER users_changed AFTER UPDATE ON "user"
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION users_changed();
--> statement-breakpoint
CREATE OR REPLACE FUNCTION users_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || id)) FROM removed;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER users_gone AFTER DELETE ON "user"
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION users_gone();
--> statement-breakpoint
CREATE OR REPLACE FUNCTION tenants_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('t:' || id)) FROM removed;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER tenants_gone AFTER DELETE ON organization
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION tenants_gone();
--> statement-breakpoint
-- src/limits/tenants.sql
CREATE OR REPLACE TRIGGER tenant_policy_made AFTER INSERT ON tenant_policy
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER tenant_policy_changed AFTER UPDATE ON tenant_policy
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER tenant_policy_gone AFTER DELETE ON tenant_policy
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();
--> statement-breakpoint
-- src/upstreams/servers.sql
CREATE OR REPLACE TRIGGER upstream_server_made AFTER INSERT ON upstream_server
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER upstream_server_changed AFTER UPDATE ON upstream_server
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();
--> statement-breakpoint
CREATE OR REPLACE TRIGGER upstream_server_gone AFTER DELETE ON upstream_server
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();
--> statement-breakpoint
-- src/keys/changes.sql
-- Whoever makes a key, it gets a policy. A person's key acts in the person's own tenant unless its maker says otherwise.
CREATE OR REPLACE FUNCTION apikey_made() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO api_key_policy (key_id, tenant_id, chain_id)
  VALUES (NEW.id, CASE WHEN NEW.config_id = 'default' THEN 'personal-' || NEW.reference_id ELSE NEW.reference_id END, NEW.id)
  ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER apikey_made AFTER INSERT ON apikey FOR EACH ROW EXECUTE FUNCTION apikey_made();
--> statement-breakpoint
-- A revoked key stays disabled, whoever enables it.
CREATE OR REPLACE FUNCTION apikey_stays_revoked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.enabled AND EXISTS (SELECT 1 FROM api_key_policy WHERE key_id = NEW.id AND revoked_at IS NOT NULL) THEN
    NEW.enabled := false;
  END IF;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER apikey_stays_revoked BEFORE UPDATE OF enabled ON apikey
FOR EACH ROW EXECUTE FUNCTION apikey_stays_revoked();
--> statement-breakpoint
-- Better Auth counts requests in the row; only these columns are part of the record that the Worker keeps.
CREATE OR REPLACE FUNCTION apikey_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE api_key_policy SET version = version + 1 WHERE key_id = NEW.id;
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER apikey_changed AFTER UPDATE ON apikey FOR EACH ROW
WHEN ((OLD.key, OLD.enabled, OLD.expires_at, OLD.permissions, OLD.name, OLD.reference_id, OLD.config_id)
  IS DISTINCT FROM (NEW.key, NEW.enabled, NEW.expires_at, NEW.permissions, NEW.name, NEW.reference_id, NEW.config_id))
EXECUTE FUNCTION apikey_changed();
--> statement-breakpoint
CREATE OR REPLACE FUNCTION api_key_policy_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.version = OLD.version THEN
    NEW.version := OLD.version + 1;
  END IF;
  INSERT INTO outbox (target, version) SELECT 'key:' || key, NEW.version FROM apikey WHERE id = NEW.key_id;
  RETURN NEW;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER api_key_policy_changed BEFORE UPDATE ON api_key_policy FOR EACH ROW
WHEN (OLD IS DISTINCT FROM NEW) EXECUTE FUNCTION api_key_policy_changed();
--> statement-breakpoint
-- Runs before the row is deleted, while its policy still says the version.
CREATE OR REPLACE FUNCTION apikey_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO outbox (target, version, dead)
  VALUES ('key:' || OLD.key, coalesce((SELECT version FROM api_key_policy WHERE key_id = OLD.id), 0) + 1, true);
  RETURN OLD;
END $$;
--> statement-breakpoint
CREATE OR REPLACE TRIGGER apikey_gone BEFORE DELETE ON apikey FOR EACH ROW EXECUTE FUNCTION apikey_gone();
--> statement-breakpoint
-- src/keys/read-view.sql
-- The scopes in a key's permissions as Better Auth stores them, as permissionsToScopes in src/identity/scopes.ts reads them. Permissions that
-- cannot be read give no scope. The scope admin needs an owner who is an administrator now.
CREATE OR REPLACE FUNCTION api_key_scopes(p_permissions text, p_is_administrator boolean) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN
  RETURN coalesce((
    SELECT array_agg(DISTINCT scope ORDER BY scope)
    FROM jsonb_each(p_permissions::jsonb) AS permission(resource, actions)
      CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(actions) WHEN 'array' THEN actions ELSE '[]' END) AS list(action)
      CROSS JOIN LATERAL (SELECT resource || CASE action #>> '{}' WHEN '*' THEN '' ELSE ':' || (action #>> '{}') END AS scope) AS named
    WHERE jsonb_typeof(action) = 'string' AND (scope <> 'admin' OR p_is_administrator)
      AND scope IN ('openid', 'profile', 'email', 'offline_access', 'mcp:tools', 'mcp-registry:read', 'mcp-registry:write',
        'keys:read', 'keys:write', 'keys:verify', 'audit:read', 'admin')
  ), '{}');
EXCEPTION WHEN OTHERS THEN
  RETURN '{}';
END $$;
--> statement-breakpoint
-- Enough to decide as the gateway does (R16), and no key, no personal address and no other table. Migrations grant it to mrg_read.
CREATE OR REPLACE VIEW api_key_check WITH (security_barrier) AS
SELECT k.key AS key_hash, k.id AS key_id, k.name, p.tenant_id,
  CASE WHEN k.config_id = 'default' THEN k.reference_id END AS user_id,
  api_key_scopes(k.permissions, coalesce(u.role = 'admin', false)) AS scopes,
  coalesce(
    k.enabled AND p.revoked_at IS NULL
    AND (k.expires_at IS NULL OR k.expires_at > statement_timestamp() AT TIME ZONE 'utc')
    AND (p.disabled_until IS NULL OR p.disabled_until <= statement_timestamp())
    AND CASE WHEN k.config_id = 'default'
      THEN u.id IS NOT NULL AND (u.banned IS NOT TRUE OR u.ban_expires < statement_timestamp() AT TIME ZONE 'utc')
        AND (p.tenant_id = 'personal-' || u.id
          OR EXISTS (SELECT 1 FROM member m WHERE m.user_id = u.id AND m.organization_id = p.tenant_id))
      ELSE o.id IS NOT NULL AND p.tenant_id = k.reference_id END,
    false) AS works,
  k.expires_at AT TIME ZONE 'utc' AS expires_at, p.addresses, p.servers, p.tools
FROM apikey k
  JOIN api_key_policy p ON p.key_id = k.id
  LEFT JOIN "user" u ON k.config_id = 'default' AND u.id = k.reference_id
  LEFT JOIN organization o ON o.id = p.tenant_id;
--> statement-breakpoint
-- src/grants/refresh.sql
-- Ends one grant: revokes every refresh token that descends from one authorization code. The row in ended_grant also stops a token that
-- another request is making at the same moment. Other grants of the client stay.
CREATE OR REPLACE FUNCTION end_grant(p_grant text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO ended_grant (grant_id, ended_at) VALUES (p_grant, now()) ON CONFLICT DO NOTHING;
  UPDATE oauth_refresh_token SET revoked = now() AT TIME ZONE 'utc'
  WHERE authorization_code_id = p_grant AND revoked IS NULL
$$;
--> statement-breakpoint
-- Decides what the presenter of a refresh token gets, and returns the id of the token's grant with it:
--   unknown    this client has no such token: Better Auth refuses it
--   locked     rotate it; only the holder of p_lock may store the answer
--   pending    another request is rotating it: ask again
--   answered   the same request rotated it within the last 30 seconds: return the sealed answer
--   mismatch   another request rotated it within the last 30 seconds: refuse, and end nothing
--   replayed   it was rotated longer ago, or revoked, or its grant was ended: end the grant
-- A lock without an answer expires after 5 seconds. The next lock then undoes what its holder left: it restores the token and deletes the
-- successor, which nobody has received.
CREATE OR REPLACE FUNCTION lock_refresh_token(p_token text, p_client text, p_fingerprint text, p_lock uuid)
RETURNS TABLE (state text, answer text, grant_id text) LANGUAGE plpgsql AS $$
DECLARE
  held refresh_lock;
  token oauth_refresh_token;
BEGIN
  SELECT * INTO token FROM oauth_refresh_token t WHERE t.token = p_token AND t.client_id = coalesce(p_client, t.client_id);
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'unknown', NULL::text, NULL::text;
    RETURN;
  END IF;
  IF EXISTS (SELECT 1 FROM ended_grant e WHERE e.grant_id = token.authorization_code_id)
    OR (token.revoked IS NOT NULL AND NOT EXISTS (SELECT 1 FROM refresh_lock l WHERE l.token_hash = p_token)) THEN
    -- Its grant was ended. Better Auth must not see it: it would end all grants of the user with this client.
    RETURN QUERY SELECT 'replayed', NULL::text, token.authorization_code_id;
    RETURN;
  END IF;
  INSERT INTO refresh_lock (token_hash, fingerprint, lock_id, locked_at)
  VALUES (p_token, p_fingerprint, p_lock, clock_timestamp()) ON CONFLICT (token_hash) DO NOTHING;
  IF FOUND THEN
    RETURN QUERY SELECT 'locked', NULL::text, token.authorization_code_id;
    RETURN;
  END IF;
  SELECT * INTO held FROM refresh_lock l WHERE l.token_hash = p_token FOR UPDATE;
  IF held.answered_at IS NOT NULL THEN
    IF held.answered_at > clock_timestamp() - interval '30 seconds' THEN
      IF held.fingerprint = p_fingerprint AND held.answer IS NOT NULL THEN
        RETURN QUERY SELECT 'answered', held.answer, token.authorization_code_id;
      ELSE
        RETURN QUERY SELECT 'mismatch', NULL::text, token.authorization_code_id;
      END IF;
    ELSE
      PERFORM end_grant(token.authorization_code_id);
      RETURN QUERY SELECT 'replayed', NULL::text, token.authorization_code_id;
    END IF;
    RETURN;
  END IF;
  IF held.locked_at > clock_timestamp() - interval '5 seconds' THEN
    RETURN QUERY SELECT 'pending', NULL::text, token.authorization_code_id;
    RETURN;
  END IF;
  UPDATE refresh_lock l SET lock_id = p_lock, fingerprint = p_fingerprint, locked_at = clock_timestamp()
  WHERE l.token_hash = p_token;
  SELECT * INTO token FROM oauth_refresh_token t WHERE t.token = p_token;
  IF token.rotated_at IS NOT NULL THEN
    DELETE FROM oauth_refresh_token t
    WHERE t.authorization_code_id = token.authorization_code_id AND t.token <> p_token AND t.revoked IS NULL;
    UPDATE oauth_refresh_token t
    SET revoked = NULL, rotated_at = NULL, rotation_replay_response = NULL, rotation_replay_expires_at = NULL
    WHERE t.token = p_token;
  END IF;
  RETURN QUERY SELECT 'locked', NULL::text, token.authorization_code_id;
END $$;
--> statement-breakpoint
-- src/registry/reading/search.sql
-- A definition's name, title, description, tags and tool names, in lower case, as one text of at most 4000 characters.
CREATE OR REPLACE FUNCTION registry_words(p_definition jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT lower(left(concat_ws(' ', p_definition->>'name', p_definition->>'title', p_definition->>'description',
    (SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(CASE jsonb_typeof(p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tags}')
      WHEN 'array' THEN p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tags}' ELSE '[]' END)),
    (SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(CASE jsonb_typeof(p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tools}')
      WHEN 'array' THEN p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tools}' ELSE '[]' END))), 4000))
$$;
--> statement-breakpoint
-- Columns and indexes of the registry's lists and search.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
--> statement-breakpoint
ALTER TABLE registry_version ALTER COLUMN name TYPE text COLLATE "C", ALTER COLUMN version TYPE text COLLATE "C";
--> statement-breakpoint
ALTER TABLE registry_version ADD COLUMN words text GENERATED ALWAYS AS (registry_words(definition)) STORED;
--> statement-breakpoint
ALTER TABLE registry_version ADD COLUMN terms tsvector GENERATED ALWAYS AS (
  setweight(to_tsvector('simple', translate(lower(coalesce(definition->>'name', '')), './-_', '    ')), 'A')
  || setweight(to_tsvector('simple', lower(coalesce(definition->>'title', ''))), 'A')
  || setweight(to_tsvector('english', coalesce(definition->>'description', '')), 'B')
  || setweight(to_tsvector('simple', translate(registry_words(definition), './-_', '    ')), 'C')) STORED;
--> statement-breakpoint
CREATE INDEX registry_version_list ON registry_version (tenant_id, name, version);
--> statement-breakpoint
CREATE INDEX registry_version_latest ON registry_version (tenant_id, name) WHERE is_latest;
--> statement-breakpoint
CREATE INDEX registry_version_updated ON registry_version (tenant_id, updated_at);
--> statement-breakpoint
CREATE INDEX registry_version_public ON registry_version (name, version) WHERE is_public;
--> statement-breakpoint
CREATE INDEX registry_version_terms ON registry_version USING gin (terms) WHERE is_latest;
--> statement-breakpoint
CREATE INDEX registry_version_words ON registry_version USING gin (words gin_trgm_ops) WHERE is_latest;
--> statement-breakpoint
CREATE INDEX registry_version_short_name ON registry_version (lower(split_part(name, '/', 2)), name) WHERE is_latest;
