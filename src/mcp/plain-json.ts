// Scripts use `curl`, whose `Accept: */*` the SDK refuses, and want one JSON answer. Clients whose Accept header names
// `text/event-stream` get streams; all others get only the final message.

const BOTH = "application/json, text/event-stream";

/** Whether the caller can read server-sent events. Only an Accept header that names them proves that. */
export const acceptsEvents = (accept: string | null): boolean => /\btext\/event-stream\b/i.test(accept ?? "");

/** The request with the Accept header that the SDK requires. Its body was read before and is passed separately. */
export function acceptingBoth(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.set("accept", BOTH);
  return new Request(request.url, { method: request.method, headers, signal: request.signal });
}

/**
 * The final message of an event stream as a JSON body, without progress messages. Other answers are returned unchanged.
 */
export async function plainJson(response: Response): Promise<Response> {
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) return response;
  const message = lastMessage(await response.text());
  const headers = new Headers(response.headers);
  for (const name of ["content-type", "x-accel-buffering"]) headers.delete(name);
  if (message === undefined) return new Response(null, { status: 202, headers });
  headers.set("content-type", "application/json");
  return new Response(message, { status: response.status, headers });
}

/** The data of the last event that carries data (HTML, server-sent events, §9.2.6). */
export function lastMessage(stream: string): string | undefined {
  const events = stream.split(/\r?\n\r?\n/).map((event) =>
    event
      .split(/\r?\n/)
      .filter((line) => line.startsWith("data:"))
      .map((line) => line.slice(line.startsWith("data: ") ? 6 : 5))
      .join("\n"),
  );
  return events.findLast((data) => data !== "");
}
