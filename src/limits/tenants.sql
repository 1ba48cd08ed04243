-- A change of a tenant's limits raises the tenant's epoch; the function is in src/platform/epochs.sql.

CREATE OR REPLACE TRIGGER tenant_policy_made AFTER INSERT ON tenant_policy
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();

CREATE OR REPLACE TRIGGER tenant_policy_changed AFTER UPDATE ON tenant_policy
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();

CREATE OR REPLACE TRIGGER tenant_policy_gone AFTER DELETE ON tenant_policy
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tenant_rows_changed();
