import { describe, expect, it } from "vitest";
import { readBody } from "../../../src/platform/body.ts";

const LIMIT = 10;

function request(body: BodyInit | null, headers: Record<string, string> = {}): Request {
  const init = { method: "POST", body, headers, duplex: "half" };
  return new Request("https://gateway.example.com/", init);
}

/** A body of pieces that says whether it was read to its end or cancelled. */
function pieces(...sizes: number[]) {
  const state = { pulled: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        const size = sizes[state.pulled];
        state.pulled += 1;
        if (size === undefined) controller.close();
        else controller.enqueue(new Uint8Array(size).fill(state.pulled));
      },
      cancel: () => {
        state.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, state };
}

describe("the body of a request", () => {
  it("is put together from its pieces in their order", async () => {
    const { body } = pieces(3, 0, 2, 5);
    expect([...((await readBody(request(body), LIMIT)) ?? [])]).toEqual([1, 1, 1, 3, 3, 4, 4, 4, 4, 4]);
  });

  it("may be empty or absent", async () => {
    expect(await readBody(request(""), LIMIT)).toEqual(new Uint8Array());
    expect(await readBody(new Request("https://gateway.example.com/"), LIMIT)).toEqual(new Uint8Array());
  });

  it("may have as many bytes as the limit says, counted as bytes", async () => {
    expect(await readBody(request("é".repeat(5)), LIMIT)).toHaveLength(10);
    expect(await readBody(request("é".repeat(6)), LIMIT)).toBeNull();
  });

  it("is not read at all when it says that it is larger", async () => {
    const { body, state } = pieces(1);
    expect(await readBody(request(body, { "content-length": "11" }), LIMIT)).toBeNull();
    expect(state.pulled).toBe(0);
  });

  it.each(["0", "10", "-1", "none"])(
    "is cut off where it exceeds the limit, whatever length it claims: %s",
    async (claim) => {
      const { body, state } = pieces(6, 6, 6, 6);
      expect(await readBody(request(body, { "content-length": claim }), LIMIT)).toBeNull();
      expect(state).toEqual({ pulled: 2, cancelled: true });
    },
  );
});
