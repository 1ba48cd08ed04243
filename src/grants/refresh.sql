-- Refresh token rotation and the end of a grant, each in one statement; rotation.ts and revocation.ts call these
-- functions.

-- Ends one grant: revokes every refresh token that descends from one authorization code. The row in ended_grant also
-- stops a token that another request is issuing at the same moment. Other grants of the client stay.
CREATE OR REPLACE FUNCTION end_grant(p_grant text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO ended_grant (grant_id, ended_at) VALUES (p_grant, now()) ON CONFLICT DO NOTHING;
  UPDATE oauth_refresh_token SET revoked = now() AT TIME ZONE 'utc'
  WHERE authorization_code_id = p_grant AND revoked IS NULL
$$;

-- Decides what the presenter of a refresh token gets, and returns the id of the token's grant with it:   unknown
-- this client has no such token: Better Auth refuses it   locked     rotate it; only the holder of p_lock may store the
-- answer   pending    another request is rotating it: ask again   answered   the same request rotated it within the
-- last 30 seconds: return the sealed answer   mismatch   another request rotated it within the last 30 seconds: refuse,
-- and end nothing   replayed   it was rotated longer ago, or revoked, or its grant was ended: end the grant A lock
-- without an answer expires after 5 seconds. The next lock then undoes what its holder left: it restores the token and
-- deletes the successor, which nobody has received.
CREATE OR REPLACE FUNCTION lock_refresh_token(p_token text, p_client text, p_fingerprint text, p_lock uuid)
RETURNS TABLE (state text, answer text, grant_id text) LANGUAGE plpgsql AS $$
DECLARE
  held refresh_lock;
  token oauth_refresh_token;
BEGIN
  SELECT * INTO token FROM oauth_refresh_token t WHERE t.token = p_token AND t.client_id = coalesce(p_client, t.client_id);
  IF NOT FOUND THEN
    RETURN QUERY SELECT 'unknown', NULL::text, NULL::text;
    RETURN;
  END IF;
  IF EXISTS (SELECT 1 FROM ended_grant e WHERE e.grant_id = token.authorization_code_id)
    OR (token.revoked IS NOT NULL AND NOT EXISTS (SELECT 1 FROM refresh_lock l WHERE l.token_hash = p_token)) THEN
    -- Its grant was ended. Better Auth must not see it: it would end all grants of the user with this client.
    RETURN QUERY SELECT 'replayed', NULL::text, token.authorization_code_id;
    RETURN;
  END IF;
  INSERT INTO refresh_lock (token_hash, fingerprint, lock_id, locked_at)
  VALUES (p_token, p_fingerprint, p_lock, clock_timestamp()) ON CONFLICT (token_hash) DO NOTHING;
  IF FOUND THEN
    RETURN QUERY SELECT 'locked', NULL::text, token.authorization_code_id;
    RETURN;
  END IF;
  SELECT * INTO held FROM refresh_lock l WHERE l.token_hash = p_token FOR UPDATE;
  IF held.answered_at IS NOT NULL THEN
    IF held.answered_at > clock_timestamp() - interval '30 seconds' THEN
      IF held.fingerprint = p_fingerprint AND held.answer IS NOT NULL THEN
        RETURN QUERY SELECT 'answered', held.answer, token.authorization_code_id;
      ELSE
        RETURN QUERY SELECT 'mismatch', NULL::text, token.authorization_code_id;
      END IF;
    ELSE
      PERFORM end_grant(token.authorization_code_id);
      RETURN QUERY SELECT 'replayed', NULL::text, token.authorization_code_id;
    END IF;
    RETURN;
  END IF;
  IF held.locked_at > clock_timestamp() - interval '5 seconds' THEN
    RETURN QUERY SELECT 'pending', NULL::text, token.authorization_code_id;
    RETURN;
  END IF;
  UPDATE refresh_lock l SET lock_id = p_lock, fingerprint = p_fingerprint, locked_at = clock_timestamp()
  WHERE l.token_hash = p_token;
  SELECT * INTO token FROM oauth_refresh_token t WHERE t.token = p_token;
  IF token.rotated_at IS NOT NULL THEN
    DELETE FROM oauth_refresh_token t
    WHERE t.authorization_code_id = token.authorization_code_id AND t.token <> p_token AND t.revoked IS NULL;
    UPDATE oauth_refresh_token t
    SET revoked = NULL, rotated_at = NULL, rotation_replay_response = NULL, rotation_replay_expires_at = NULL
    WHERE t.token = p_token;
  END IF;
  RETURN QUERY SELECT 'locked', NULL::text, token.authorization_code_id;
END $$;
