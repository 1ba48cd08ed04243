-- Roles belong to the whole cluster: another database of it may have made them already, or be making them now.
DO $$ BEGIN CREATE ROLE mrg_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
--> statement-breakpoint
DO $$ BEGIN CREATE ROLE mrg_read NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
--> statement-breakpoint
GRANT USAGE ON SCHEMA public TO mrg_app, mrg_read;
--> statement-breakpoint
-- The Worker reads and writes rows, also of tables that later migrations make. It cannot change tables or the audit log.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO mrg_app;
--> statement-breakpoint
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO mrg_app;
--> statement-breakpoint
REVOKE UPDATE, DELETE ON "audit_log" FROM mrg_app;
--> statement-breakpoint
-- Readiness compares the applied migrations with those that the code expects.
GRANT USAGE ON SCHEMA drizzle TO mrg_app;
--> statement-breakpoint
GRANT SELECT ON ALL TABLES IN SCHEMA drizzle TO mrg_app;
--> statement-breakpoint
-- Other back ends read the view api_key_check and nothing else.
REVOKE ALL ON api_key_check FROM mrg_app;
--> statement-breakpoint
REVOKE ALL ON FUNCTION api_key_scopes(text, boolean) FROM PUBLIC;
--> statement-breakpoint
GRANT EXECUTE ON FUNCTION api_key_scopes(text, boolean) TO mrg_read;
--> statement-breakpoint
GRANT SELECT ON api_key_check TO mrg_read;
