CREATE TABLE "audit_intent" (
	"id" uuid PRIMARY KEY NOT NULL,
	"at" timestamp with time zone NOT NULL,
	"entry" jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "api_key_policy" (
	"key_id" text PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"chain_id" text NOT NULL,
	"version" bigint DEFAULT 1 NOT NULL,
	"created_by" text,
	"servers" text[],
	"tools" text[],
	"addresses" text[],
	"per_minute" integer,
	"burst" integer,
	"quota_max" bigint,
	"quota_period" text,
	"disabled_until" timestamp with time zone,
	"revoked_at" timestamp with time zone,
	"revoked_reason" text,
	"rotated_to" text,
	CONSTRAINT "api_key_policy_quota" CHECK (("api_key_policy"."quota_max" is null) = ("api_key_policy"."quota_period" is null)),
	CONSTRAINT "api_key_policy_period" CHECK ("api_key_policy"."quota_period" in ('month', 'total')),
	CONSTRAINT "api_key_policy_rate" CHECK ("api_key_policy"."per_minute" > 0 and "api_key_policy"."burst" > 0)
);
--> statement-breakpoint
CREATE TABLE "legacy_key" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"name" text NOT NULL,
	"key_prefix" text NOT NULL,
	"key_hash" text NOT NULL,
	"salt" text NOT NULL,
	"hash_algo" text NOT NULL,
	"permissions" text NOT NULL,
	"addresses" text[],
	"enabled" boolean DEFAULT true NOT NULL,
	"disabled_until" timestamp with time zone,
	"expires_at" timestamp with time zone,
	"last_used_at" timestamp with time zone,
	"created_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "quota_use" (
	"chain_id" text NOT NULL,
	"period" text NOT NULL,
	"used" bigint NOT NULL,
	CONSTRAINT "quota_use_chain_id_period_pk" PRIMARY KEY("chain_id","period")
);
--> statement-breakpoint
CREATE TABLE "tenant_policy" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"limits" jsonb DEFAULT '{}'::jsonb NOT NULL
);
--> statement-breakpoint
CREATE TABLE "try_count" (
	"bucket" text PRIMARY KEY NOT NULL,
	"count" integer NOT NULL,
	"until" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "epoch" (
	"subject" text PRIMARY KEY NOT NULL,
	"value" bigint NOT NULL
);
--> statement-breakpoint
CREATE TABLE "outbox" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "outbox_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"target" text NOT NULL,
	"version" bigint NOT NULL,
	"dead" boolean DEFAULT false NOT NULL,
	"at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "outbox_target" CHECK ("outbox"."target" ~ '^(key|epoch):')
);
--> statement-breakpoint
ALTER TABLE "api_key_policy" ADD CONSTRAINT "api_key_policy_key_id_apikey_id_fk" FOREIGN KEY ("key_id") REFERENCES "public"."apikey"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "legacy_key" ADD CONSTRAINT "legacy_key_user_id_user_id_fk" FOREIGN KEY ("user_id") REFERENCES "public"."user"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tenant_policy" ADD CONSTRAINT "tenant_policy_tenant_id_organization_id_fk" FOREIGN KEY ("tenant_id") REFERENCES "public"."organization"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "api_key_policy_tenant" ON "api_key_policy" USING btree ("tenant_id");--> statement-breakpoint
CREATE INDEX "legacy_key_prefix" ON "legacy_key" USING btree ("key_prefix");