-- What other back ends may read about API keys (docs/back-ends.md). The view holds copies of rules in
-- src/identity/standing.ts: who is active, who administers the gateway, who acts in an organization, how a personal
-- organization is named. Change both together.

-- The scopes in a key's permissions as Better Auth stores them, read as permissionsToScopes in src/identity/scopes.ts
-- reads them. Permissions that cannot be read give no scope. The scope admin needs an owner who is an administrator
-- now.
CREATE OR REPLACE FUNCTION api_key_scopes(p_permissions text, p_is_administrator boolean) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN
  RETURN coalesce((
    SELECT array_agg(DISTINCT scope ORDER BY scope)
    FROM jsonb_each(p_permissions::jsonb) AS permission(resource, actions)
      CROSS JOIN LATERAL jsonb_array_elements(CASE jsonb_typeof(actions) WHEN 'array' THEN actions ELSE '[]' END) AS list(action)
      CROSS JOIN LATERAL (SELECT resource || CASE action #>> '{}' WHEN '*' THEN '' ELSE ':' || (action #>> '{}') END AS scope) AS named
    WHERE jsonb_typeof(action) = 'string' AND (scope <> 'admin' OR p_is_administrator)
      AND scope IN ('openid', 'profile', 'email', 'offline_access', 'mcp:tools', 'mcp-registry:read', 'mcp-registry:write',
        'keys:read', 'keys:write', 'keys:verify', 'audit:read', 'admin')
  ), '{}');
EXCEPTION WHEN OTHERS THEN
  RETURN '{}';
END $$;

-- Enough to decide as the gateway does; no keys, no email addresses, no other table. Migrations grant it to
-- mrg_read.
CREATE OR REPLACE VIEW api_key_check WITH (security_barrier) AS
SELECT k.key AS key_hash, k.id AS key_id, k.name, p.tenant_id,
  CASE WHEN k.config_id = 'default' THEN k.reference_id END AS user_id,
  api_key_scopes(k.permissions, coalesce(u.role = 'admin', false)) AS scopes,
  coalesce(
    k.enabled AND p.revoked_at IS NULL
    AND (k.expires_at IS NULL OR k.expires_at > statement_timestamp() AT TIME ZONE 'utc')
    AND (p.disabled_until IS NULL OR p.disabled_until <= statement_timestamp())
    AND CASE WHEN k.config_id = 'default'
      THEN u.id IS NOT NULL AND (u.banned IS NOT TRUE OR u.ban_expires < statement_timestamp() AT TIME ZONE 'utc')
        AND (p.tenant_id = 'personal-' || u.id
          OR EXISTS (SELECT 1 FROM member m WHERE m.user_id = u.id AND m.organization_id = p.tenant_id))
      ELSE o.id IS NOT NULL AND p.tenant_id = k.reference_id END,
    false) AS works,
  k.expires_at AT TIME ZONE 'utc' AS expires_at, p.addresses, p.servers, p.tools
FROM apikey k
  JOIN api_key_policy p ON p.key_id = k.id
  LEFT JOIN "user" u ON k.config_id = 'default' AND u.id = k.reference_id
  LEFT JOIN organization o ON o.id = p.tenant_id;
