const NAME = String.raw`((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))*)`;
const TABLE = new RegExp(
  String.raw`\b(?:into|update|from|join|table(?:\s+if(?:\s+not)?\s+exists)?)\s+(?:only\s+)?${NAME}`,
  "i",
);
const WRITE = new RegExp(String.raw`\b(insert|update|delete)\s+(?:into\s+|from\s+)?(?:only\s+)?${NAME}`, "gi");

/**
 * A short label of a SQL statement for the request log: its first keyword and the first table, such as "insert
 * audit_log". A statement that starts with WITH is labelled by everything it writes: "with insert a, update b".
 */
export function sqlLabel(statement: string): string {
  const sql = statement.replace(/^(?:\s|\(|--[^\n]*\n|\/\*[\s\S]*?\*\/)+/, "");
  const keyword = (/^\w+/.exec(sql)?.[0] ?? "").toLowerCase();
  if (keyword === "with") {
    const writes = [...sql.matchAll(WRITE)]
      .filter(([, verb, name]) => !(verb?.toLowerCase() === "update" && /^(?:set|of|skip|nowait)$/i.test(name ?? "")))
      .map(([, verb, name]) => `${verb?.toLowerCase()} ${unqualified(name)}`);
    if (writes.length > 0) return `with ${writes.join(", ")}`;
  }
  const table = ((keyword === "select" ? TABLE.exec(withoutSubqueries(sql)) : null) ?? TABLE.exec(sql))?.[1];
  return table === undefined ? keyword : `${keyword} ${unqualified(table)}`;
}

/** The statement without subqueries in its list of columns: the table that it reads is the one after its own FROM. */
function withoutSubqueries(sql: string): string {
  const inner = /\(\s*select\b[^()]*\)|(?<!\bfrom\s*)\([^()]*\)/gi;
  const shorter = sql.replace(inner, " ");
  return shorter === sql ? sql : withoutSubqueries(shorter);
}

function unqualified(name: string | undefined): string {
  return (name ?? "").replace(/^.*\./, "").replaceAll('"', "");
}
