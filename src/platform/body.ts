/** The body of a message, or null as soon as it exceeds the limit: a false Content-Length does not matter. */
export async function readBody(message: Request | Response, limitBytes: number): Promise<Uint8Array | null> {
  if (Number(message.headers.get("content-length") ?? 0) > limitBytes) return null;
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of message.body ?? []) {
    size += chunk.byteLength;
    if (size > limitBytes) return null;
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return bytes;
}
