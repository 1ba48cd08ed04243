CREATE TABLE "refresh_claim" (
	"token_hash" text PRIMARY KEY NOT NULL,
	"fingerprint" text NOT NULL,
	"claim_id" uuid NOT NULL,
	"claimed_at" timestamp with time zone NOT NULL,
	"answer" text,
	"answered_at" timestamp with time zone
);
--> statement-breakpoint
CREATE INDEX "refresh_claim_claimed_at" ON "refresh_claim" USING btree ("claimed_at");