CREATE TABLE "idempotent_answer" (
	"owner" text NOT NULL,
	"key" text NOT NULL,
	"request_hash" text NOT NULL,
	"status" integer,
	"body" jsonb,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotent_answer_owner_key_pk" PRIMARY KEY("owner","key")
);
--> statement-breakpoint
CREATE TABLE "registry_namespace" (
	"namespace" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"method" text NOT NULL,
	"proof" text,
	"verified_at" timestamp with time zone NOT NULL,
	CONSTRAINT "registry_namespace_method" CHECK ("registry_namespace"."method" in ('dns', 'http', 'github', 'administrator'))
);
--> statement-breakpoint
CREATE TABLE "registry_server" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "registry_server_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"tenant_id" text NOT NULL,
	"name" text NOT NULL,
	"skeleton" text NOT NULL,
	"is_public" boolean DEFAULT false NOT NULL,
	"source_id" uuid,
	"gateway_slug" text
);
--> statement-breakpoint
CREATE TABLE "registry_source" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"url" text NOT NULL,
	"allow" text[] DEFAULT '{"*"}' NOT NULL,
	"deny" text[] DEFAULT '{}' NOT NULL,
	"enabled" boolean DEFAULT true NOT NULL,
	"every_minutes" integer DEFAULT 60 NOT NULL,
	"cursor" text,
	"since" timestamp with time zone,
	"run_began" timestamp with time zone,
	"lease_until" timestamp with time zone,
	"lease_holder" uuid,
	"next_run_at" timestamp with time zone DEFAULT now() NOT NULL,
	"last_run_at" timestamp with time zone,
	"last_problem" text,
	"mirrored" integer DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "registry_version" (
	"server_id" bigint NOT NULL,
	"tenant_id" text NOT NULL,
	"name" text NOT NULL,
	"version" text NOT NULL,
	"is_public" boolean DEFAULT false NOT NULL,
	"is_latest" boolean DEFAULT false NOT NULL,
	"definition" jsonb NOT NULL,
	"status" text DEFAULT 'active' NOT NULL,
	"status_message" text,
	"status_changed_at" timestamp with time zone NOT NULL,
	"published_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL,
	"published_by" text,
	CONSTRAINT "registry_version_server_id_version_pk" PRIMARY KEY("server_id","version"),
	CONSTRAINT "registry_version_status" CHECK ("registry_version"."status" in ('active', 'deprecated', 'deleted'))
);
--> statement-breakpoint
CREATE TABLE "registry_view" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"name" text NOT NULL,
	"secret_hash" text NOT NULL,
	"addresses" text[],
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_by" text,
	"ends_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	CONSTRAINT "registry_view_secret_hash_unique" UNIQUE("secret_hash")
);
--> statement-breakpoint
ALTER TABLE "registry_namespace" ADD CONSTRAINT "registry_namespace_tenant_id_organization_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."organization"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "registry_server" ADD CONSTRAINT "registry_server_tenant_id_organization_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."organization"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "registry_source" ADD CONSTRAINT "registry_source_tenant_id_organization_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."organization"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "registry_version" ADD CONSTRAINT "registry_version_server_id_registry_server_id_fk" FOREIGN KEY ("server_id") REFERENCES "public"."registry_server"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "registry_view" ADD CONSTRAINT "registry_view_tenant_id_organization_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."organization"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "idempotent_answer_at" ON "idempotent_answer" USING btree ("at");--> statement-breakpoint
CREATE INDEX "registry_namespace_tenant" ON "registry_namespace" USING btree ("tenant_id");--> statement-breakpoint
CREATE UNIQUE INDEX "registry_server_name" ON "registry_server" USING btree ("tenant_id","name");--> statement-breakpoint
CREATE INDEX "registry_server_skeleton" ON "registry_server" USING btree ("skeleton");--> statement-breakpoint
CREATE INDEX "registry_server_source" ON "registry_server" USING btree ("source_id");--> statement-breakpoint
CREATE INDEX "registry_view_tenant" ON "registry_view" USING btree ("tenant_id");