-- A key's hash finds one row: Better Auth's generated index is not unique.
DROP INDEX "apikey_key_idx";--> statement-breakpoint
CREATE UNIQUE INDEX "apikey_key_idx" ON "apikey" USING btree ("key");--> statement-breakpoint
-- Roles belong to the whole cluster: another database of it may have made them already, or be making them now.
DO $$ BEGIN CREATE ROLE mrg_app NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;--> statement-breakpoint
DO $$ BEGIN CREATE ROLE mrg_read NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;--> statement-breakpoint
GRANT USAGE ON SCHEMA public TO mrg_app, mrg_read;--> statement-breakpoint
-- The Worker reads and writes rows; it neither changes tables nor rewrites history.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO mrg_app;--> statement-breakpoint
REVOKE UPDATE, DELETE ON "audit_log" FROM mrg_app;--> statement-breakpoint
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO mrg_app;
--> statement-breakpoint
-- Readiness compares the applied migrations with those that the code expects.
GRANT USAGE ON SCHEMA drizzle TO mrg_app;--> statement-breakpoint
GRANT SELECT ON ALL TABLES IN SCHEMA drizzle TO mrg_app;
