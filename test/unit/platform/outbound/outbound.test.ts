import { describe, expect, it } from "vitest";
import { guardedFetch, OutboundRefused } from "../../../../src/platform/outbound/outbound.ts";

/** A fetcher that answers from a list and keeps what it was asked. */
function scripted(...answers: Response[]) {
  const asked: { url: string; init: RequestInit | undefined }[] = [];
  const fetcher: typeof fetch = async (input, init) => {
    asked.push({ url: input instanceof Request ? input.url : input.toString(), init });
    return answers.shift() ?? new Response("ok");
  };
  return { asked, fetcher };
}

/** The refusal of a request, or undefined when it was let through. */
async function refusalOf(request: Promise<Response>): Promise<OutboundRefused | undefined> {
  try {
    await request;
    return undefined;
  } catch (error) {
    if (error instanceof OutboundRefused) return error;
    throw error;
  }
}

describe("an outbound request", () => {
  it("to a public address is made as it was asked for", async () => {
    const { asked, fetcher } = scripted(new Response("hello", { status: 201 }));
    const answer = await guardedFetch([], fetcher)("https://mcp.example.com/mcp", { method: "POST", body: "x" });
    expect(answer.status).toBe(201);
    expect(await answer.text()).toBe("hello");
    expect(asked).toEqual([
      { url: "https://mcp.example.com/mcp", init: { method: "POST", body: "x", redirect: "manual" } },
    ]);
  });

  it("takes a URL object too", async () => {
    const { asked, fetcher } = scripted();
    await guardedFetch([], fetcher)(new URL("https://mcp.example.com/a b"));
    expect(asked[0]?.url).toBe("https://mcp.example.com/a%20b");
  });

  it.each([
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://metadata.google.internal./",
    "https://127.0.0.1.nip.io/",
    "http://mcp.example.com/",
    "https://user:pw@mcp.example.com/",
  ])("E02: to %s is not made", async (url) => {
    const { asked, fetcher } = scripted();
    expect(await refusalOf(guardedFetch([], fetcher)(url))).toBeInstanceOf(OutboundRefused);
    expect(asked).toEqual([]);
  });

  it("E02: is judged and made by the same reading of its address", async () => {
    const { asked, fetcher } = scripted();
    await guardedFetch(["127.0.0.1:9000"], fetcher)("http://0x7F.1:9000/mcp");
    expect(asked[0]?.url).toBe("http://127.0.0.1:9000/mcp");
  });

  it("to text that is no URL fails before anything is asked", async () => {
    const { asked, fetcher } = scripted();
    await expect(guardedFetch([], fetcher)("/mcp")).rejects.toThrow(TypeError);
    expect(asked).toEqual([]);
  });

  it("says in its refusal which host and why, and nothing of path, query or credentials", async () => {
    const { fetcher } = scripted();
    const refusal = await refusalOf(guardedFetch([], fetcher)("https://u:secret@localhost/path?token=secret"));
    expect(refusal?.message).toBe("localhost: a URL must not carry credentials");
  });
});

describe("E05: a redirect", () => {
  it.each([300, 301, 302, 303, 304, 307, 308, 399])("E05: of status %i is refused and not followed", async (status) => {
    const bodiless = status === 304;
    const redirect = new Response(bodiless ? null : "moved", { status, headers: { location: "https://10.0.0.1/" } });
    const { asked, fetcher } = scripted(redirect);
    const refusal = await refusalOf(guardedFetch([], fetcher)("https://mcp.example.com/"));
    expect(refusal?.message).toBe("mcp.example.com: answered with a redirect");
    expect(asked).toHaveLength(1);
  });

  it("E05: is refused even to a public address, and where the caller asked to follow it", async () => {
    const redirect = new Response(null, { status: 302, headers: { location: "https://other.example.com/" } });
    const { asked, fetcher } = scripted(redirect);
    const request = guardedFetch([], fetcher)("https://mcp.example.com/", { redirect: "follow" });
    expect(await refusalOf(request)).toBeInstanceOf(OutboundRefused);
    expect(asked[0]?.init?.redirect).toBe("manual");
  });

  it("E05: is refused from an address that development allows", async () => {
    const redirect = new Response(null, { status: 307, headers: { location: "http://127.0.0.1:9001/" } });
    const { fetcher } = scripted(redirect);
    const request = guardedFetch(["127.0.0.1:9000"], fetcher)("http://127.0.0.1:9000/");
    expect(await refusalOf(request)).toBeInstanceOf(OutboundRefused);
  });

  it("E05: has its body cancelled, so that it holds no connection", async () => {
    const cancelled = Promise.withResolvers<string>();
    const body = new ReadableStream({ cancel: () => cancelled.resolve("cancelled") });
    const { fetcher } = scripted(new Response(body, { status: 302, headers: { location: "/" } }));
    await refusalOf(guardedFetch([], fetcher)("https://mcp.example.com/"));
    expect(await Promise.race([cancelled.promise, Promise.resolve("still open")])).toBe("cancelled");
  });

  it.each([200, 204, 400, 404, 500])("E05: is not what an answer of status %i is", async (status) => {
    const { fetcher } = scripted(new Response(null, { status }));
    expect((await guardedFetch([], fetcher)("https://mcp.example.com/")).status).toBe(status);
  });
});
