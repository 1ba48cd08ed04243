export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined | readonly string[]>>;

/**
 * Writes one structured log line. `event` is a dotted name such as `config.invalid`. Callers pass no secrets and no
 * personal data.
 */
export type Log = (level: "info" | "warn" | "error", event: string, fields?: LogFields) => void;

/** Workers Logs indexes JSON lines by field. */
export const log: Log = (level, event, fields = {}) => {
  console[level](JSON.stringify({ level, event, ...fields }));
};

/** The loggable parts of a thrown value: class, message and database code, never its query or parameters. */
export function errorFields(error: unknown): LogFields {
  if (!(error instanceof Error)) return { error: String(error).slice(0, 200) };
  const cause = error.cause instanceof Error ? error.cause : undefined;
  const code = [error, cause]
    .map((part) => (part as { code?: unknown } | undefined)?.code)
    .find((value) => value !== undefined);
  const message = cause ? cause.message : error.message;
  return {
    error: error.name,
    message: message.slice(0, 300),
    code: typeof code === "string" || typeof code === "number" ? code : undefined,
  };
}
