CREATE TABLE "ended_grant" (
	"grant_id" text PRIMARY KEY NOT NULL,
	"ended_at" timestamp with time zone NOT NULL
);--> statement-breakpoint
-- Ends one grant: every refresh token that descends from one authorization code, also one that is just being made. Other grants of the
-- client live on.
CREATE OR REPLACE FUNCTION end_grant(p_grant text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO ended_grant (grant_id, ended_at) VALUES (p_grant, now()) ON CONFLICT DO NOTHING;
  UPDATE oauth_refresh_token SET revoked = now() AT TIME ZONE 'utc'
  WHERE authorization_code_id = p_grant AND revoked IS NULL
$$;--> statement-breakpoint
-- As before, and: a token whose grant has ended is `replayed`, whatever its row says.
CREATE OR REPLACE FUNCTION claim_refresh_token(p_token text, p_client text, p_fingerprint text, p_claim uuid)
RETURNS TABLE (state text, answer text, grant_id text) LANGUAGE plpgsql AS $$
DECLARE
  claim refresh_claim;
  token oauth_refresh_token;
BEGIN
  SELECT * INTO token FROM oauth_refresh_token t WHERE t.token = p_token AND t.client_id = coalesce(p_client, t.client_id);
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'unknown', NULL::text, NULL::text;
    RETURN;
  END IF;
  IF EXISTS (SELECT 1 FROM ended_grant e WHERE e.grant_id = token.authorization_code_id)
    OR (token.revoked IS NOT NULL AND NOT EXISTS (SELECT 1 FROM refresh_claim c WHERE c.token_hash = p_token)) THEN
    -- Its grant was ended. The framework must not see it: it would end all grants of the user with this client.
    RETURN QUERY SELECT 'replayed', NULL::text, token.authorization_code_id;
    RETURN;
  END IF;
  INSERT INTO refresh_claim (token_hash, fingerprint, claim_id, claimed_at)
  VALUES (p_token, p_fingerprint, p_claim, clock_timestamp()) ON CONFLICT (token_hash) DO NOTHING;
  IF FOUND THEN
    RETURN QUERY SELECT 'claimed', NULL::text, token.authorization_code_id;
    RETURN;
  END IF;
  SELECT * INTO claim FROM refresh_claim c WHERE c.token_hash = p_token FOR UPDATE;
  IF claim.answered_at IS NOT NULL THEN
    IF claim.answered_at > clock_timestamp() - interval '30 seconds' THEN
      IF claim.fingerprint = p_fingerprint AND claim.answer IS NOT NULL THEN
        RETURN QUERY SELECT 'answered', claim.answer, token.authorization_code_id;
      ELSE
        RETURN QUERY SELECT 'mismatch', NULL::text, token.authorization_code_id;
      END IF;
    ELSE
      PERFORM end_grant(token.authorization_code_id);
      RETURN QUERY SELECT 'replayed', NULL::text, token.authorization_code_id;
    END IF;
    RETURN;
  END IF;
  IF claim.claimed_at > clock_timestamp() - interval '5 seconds' THEN
    RETURN QUERY SELECT 'pending', NULL::text, token.authorization_code_id;
    RETURN;
  END IF;
  UPDATE refresh_claim c SET claim_id = p_claim, fingerprint = p_fingerprint, claimed_at = clock_timestamp()
  WHERE c.token_hash = p_token;
  SELECT * INTO token FROM oauth_refresh_token t WHERE t.token = p_token;
  IF token.rotated_at IS NOT NULL THEN
    DELETE FROM oauth_refresh_token t
    WHERE t.authorization_code_id = token.authorization_code_id AND t.token <> p_token AND t.revoked IS NULL;
    UPDATE oauth_refresh_token t
    SET revoked = NULL, rotated_at = NULL, rotation_replay_response = NULL, rotation_replay_expires_at = NULL
    WHERE t.token = p_token;
  END IF;
  RETURN QUERY SELECT 'claimed', NULL::text, token.authorization_code_id;
END $$;
