CREATE EXTENSION IF NOT EXISTS pg_trgm;--> statement-breakpoint
ALTER TABLE registry_version ALTER COLUMN name TYPE text COLLATE "C", ALTER COLUMN version TYPE text COLLATE "C";--> statement-breakpoint
-- What a search looks at: names, titles, descriptions, tags, and the names of tools.
CREATE OR REPLACE FUNCTION registry_words(p_definition jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT lower(left(concat_ws(' ', p_definition->>'name', p_definition->>'title', p_definition->>'description',
    (SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(CASE jsonb_typeof(p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tags}')
      WHEN 'array' THEN p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tags}' ELSE '[]' END)),
    (SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(CASE jsonb_typeof(p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tools}')
      WHEN 'array' THEN p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tools}' ELSE '[]' END))), 4000))
$$;--> statement-breakpoint
ALTER TABLE registry_version ADD COLUMN words text GENERATED ALWAYS AS (registry_words(definition)) STORED;--> statement-breakpoint
ALTER TABLE registry_version ADD COLUMN terms tsvector GENERATED ALWAYS AS (
  setweight(to_tsvector('simple', translate(lower(coalesce(definition->>'name', '')), './-_', '    ')), 'A')
  || setweight(to_tsvector('simple', lower(coalesce(definition->>'title', ''))), 'A')
  || setweight(to_tsvector('english', coalesce(definition->>'description', '')), 'B')
  || setweight(to_tsvector('simple', translate(registry_words(definition), './-_', '    ')), 'C')) STORED;--> statement-breakpoint
CREATE INDEX registry_version_list ON registry_version (tenant_id, name, version);--> statement-breakpoint
CREATE INDEX registry_version_latest ON registry_version (tenant_id, name) WHERE is_latest;--> statement-breakpoint
CREATE INDEX registry_version_updated ON registry_version (tenant_id, updated_at);--> statement-breakpoint
CREATE INDEX registry_version_public ON registry_version (name, version) WHERE is_public;--> statement-breakpoint
CREATE INDEX registry_version_terms ON registry_version USING gin (terms) WHERE is_latest;--> statement-breakpoint
CREATE INDEX registry_version_words ON registry_version USING gin (words gin_trgm_ops) WHERE is_latest;--> statement-breakpoint
CREATE INDEX registry_version_short_name ON registry_version (lower(split_part(name, '/', 2)), name) WHERE is_latest;
