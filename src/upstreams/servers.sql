-- A change of a tenant's upstreams raises the tenant's epoch; the function is in src/platform/epochs.sql.

CREATE OR REPLACE TRIGGER upstream_server_made AFTER INSERT ON upstream_server
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();

CREATE OR REPLACE TRIGGER upstream_server_changed AFTER UPDATE ON upstream_server
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();

CREATE OR REPLACE TRIGGER upstream_server_gone AFTER DELETE ON upstream_server
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();
