-- Epochs in Postgres. Triggers in other folders raise them: src/identity/epochs.sql, src/limits/tenants.sql,
-- src/upstreams/servers.sql.

-- Raises the epochs of tenants (t:<id>) and users (u:<id>) and queues the new values for Redis in the same statement.
-- Subjects are raised in alphabetical order, so that two statements that change the same rows do not deadlock.
CREATE OR REPLACE FUNCTION raise_epochs(p_subjects text[]) RETURNS void LANGUAGE sql AS $$
  WITH raised AS (
    INSERT INTO epoch (subject, value)
    SELECT subject, 1 FROM (SELECT DISTINCT unnest(p_subjects) AS subject ORDER BY 1) AS changed WHERE subject IS NOT NULL
    ON CONFLICT (subject) DO UPDATE SET value = epoch.value + 1
    RETURNING subject, value
  )
  INSERT INTO outbox (target, version) SELECT 'epoch:' || subject, value FROM raised
$$;

-- For triggers on tables with a tenant_id: raises the epochs of the tenants whose rows changed.
CREATE OR REPLACE FUNCTION tenant_rows_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM raise_epochs(array_agg('t:' || tenant_id)) FROM changed;
  RETURN NULL;
END $$;
