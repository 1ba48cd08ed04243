import { z } from "zod";
import { readJson } from "../../platform/body.ts";
import { DeadlineExceeded, within } from "../../platform/deadline.ts";
import { ResolverUnavailable } from "../../platform/outbound/dns.ts";
import { OutboundRefused, type Outbound } from "../../platform/outbound/outbound.ts";

/** Entries that one page is asked to have; the API allows no more. */
const PAGE_ENTRIES = 100;
/** A registry may ignore what it is asked for, up to here. */
const MAX_ENTRIES = 1_000;
const MAX_PAGE_BYTES = 1_048_576;

/** A page of another registry's list; its entries are looked at one by one. */
export interface SourcePage {
  entries: readonly unknown[];
  nextCursor: string | null;
  /** The time by that registry's own clock, in epoch milliseconds; null when it does not say. */
  at: number | null;
}

/** Why there is no page, in words for the tenant's administrators. `isRefused`: the registry understood, and did not want the request. */
export interface PageFault {
  problem: string;
  isRefused: boolean;
}

/** What is asked of a registry: the page after `cursor` of what has changed since a moment; null: from the beginning, and everything. */
export interface PageQuery {
  url: string;
  cursor: string | null;
  since: Date | null;
}

const cursor = z
  .string()
  .max(4_096)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text));
const answer = z.object({
  servers: z.array(z.unknown()).max(MAX_ENTRIES),
  metadata: z.object({ nextCursor: cursor.nullish() }).nullish(),
});

/** Asks a registry (v0.1) for a page, for so many milliseconds. What goes wrong is an answer here: a mirror has to live with it. */
export async function askForPage(
  outbound: Outbound,
  query: PageQuery,
  deadlineMs: number,
): Promise<{ page: SourcePage } | { fault: PageFault }> {
  try {
    return await within(deadlineMs, async (signal) => {
      const response = await outbound(pageUrl(query), { headers: { accept: "application/json" }, signal });
      if (response.status !== 200) {
        await response.body?.cancel();
        const isRefused = response.status >= 400 && response.status < 500 && response.status !== 429;
        return { fault: { problem: `It answered with status ${response.status}.`, isRefused } };
      }
      const body = await readJson(response, { limitBytes: MAX_PAGE_BYTES });
      if ("refusal" in body && body.refusal.kind === "too_large")
        return faultOf(`A page of it is larger than ${MAX_PAGE_BYTES / 1024} KiB.`);
      const page = answer.safeParse("value" in body ? body.value : undefined);
      if (!page.success) return faultOf("Its answer is no list of servers (MCP Registry API v0.1).");
      const { servers, metadata } = page.data;
      const at = timeOf(response.headers.get("date"));
      return { page: { entries: servers, nextCursor: metadata?.nextCursor || null, at } };
    });
  } catch (error) {
    return faultOf(reasonOf(error, deadlineMs));
  }
}

/** Registries that do not imply deleted entries in what has changed are asked for them. */
export function pageUrl({ url, cursor: after, since }: PageQuery): string {
  const parameters = new URLSearchParams({ limit: String(PAGE_ENTRIES) });
  if (after !== null) parameters.set("cursor", after);
  if (since !== null) {
    parameters.set("updated_since", since.toISOString());
    parameters.set("include_deleted", "true");
  }
  return `${url}/v0.1/servers?${parameters.toString()}`;
}

const faultOf = (problem: string): { fault: PageFault } => ({ fault: { problem, isRefused: false } });

function timeOf(date: string | null): number | null {
  const time = Date.parse(date ?? "");
  return Number.isNaN(time) ? null : time;
}

function reasonOf(error: unknown, deadlineMs: number): string {
  if (error instanceof OutboundRefused) return `It was not asked, or led elsewhere: ${error.message}.`;
  if (error instanceof ResolverUnavailable) return "Its name could not be looked up.";
  if (error instanceof DeadlineExceeded) return `It did not answer within ${deadlineMs / 1000} seconds.`;
  return "It could not be reached.";
}
