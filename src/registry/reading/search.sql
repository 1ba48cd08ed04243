-- The text that the registry search reads. The stored columns `words` and `terms` of registry_version are computed with
-- this function: after a change of it, a migration must compute them again.

-- A definition's name, title, description, tags and tool names, in lower case, as one text of at most 4000 characters.
CREATE OR REPLACE FUNCTION registry_words(p_definition jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT lower(left(concat_ws(' ', p_definition->>'name', p_definition->>'title', p_definition->>'description',
    (SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(CASE jsonb_typeof(p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tags}')
      WHEN 'array' THEN p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tags}' ELSE '[]' END)),
    (SELECT string_agg(value, ' ') FROM jsonb_array_elements_text(CASE jsonb_typeof(p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tools}')
      WHEN 'array' THEN p_definition #> '{_meta,io.modelcontextprotocol.registry/publisher-provided,tools}' ELSE '[]' END))), 4000))
$$;
