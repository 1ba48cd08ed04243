-- Changes of members, users and organizations raise their epochs, so that the Worker reads its records of them again.
-- members_joined holds a copy of personalTenantId in src/identity/standing.ts: change both together.

-- A personal organization and its owner are created before any credential could act there, so their epoch need not
-- rise.
CREATE OR REPLACE FUNCTION members_joined() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || user_id)) FROM added WHERE organization_id <> 'personal-' || user_id;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION members_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || user_id)) FROM removed;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER members_joined AFTER INSERT ON member
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION members_joined();

CREATE OR REPLACE TRIGGER members_changed AFTER UPDATE ON member
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION members_changed();

CREATE OR REPLACE TRIGGER members_left AFTER DELETE ON member
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION members_changed();

-- Only role and ban of a user decide what they may do. A changed id counts as removed.
CREATE OR REPLACE FUNCTION users_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || o.id)) FROM removed o LEFT JOIN added n ON n.id = o.id
  WHERE (o.role, o.banned, o.ban_expires) IS DISTINCT FROM (n.role, n.banned, n.ban_expires) OR n.id IS NULL;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER users_changed AFTER UPDATE ON "user"
REFERENCING OLD TABLE AS removed NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION users_changed();

CREATE OR REPLACE FUNCTION users_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('u:' || id)) FROM removed;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER users_gone AFTER DELETE ON "user"
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION users_gone();

CREATE OR REPLACE FUNCTION tenants_gone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('t:' || id)) FROM removed;
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER tenants_gone AFTER DELETE ON organization
REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION tenants_gone();
