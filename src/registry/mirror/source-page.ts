import { z } from "zod";
import { readJson } from "../../platform/body.ts";
import { DeadlineExceeded, within } from "../../platform/deadline.ts";
import { ResolverUnavailable } from "../../platform/outbound/dns.ts";
import { OutboundRefused, type Outbound } from "../../platform/outbound/outbound.ts";

/** Entries requested per page: the most that the API allows. */
const PAGE_ENTRIES = 100;
/** Most entries accepted on a page, for registries that ignore the requested limit. */
const MAX_ENTRIES = 1_000;
const MAX_PAGE_BYTES = 1_048_576;

/** A page of another registry's list, with entries that have not been checked. */
export interface SourcePage {
  entries: readonly unknown[];
  nextCursor: string | null;
  /** The time by that registry's own clock, in epoch milliseconds; null when it does not say. */
  at: number | null;
}

/**
 * Why a page could not be read, as a text for the tenant's managers. `isRefused`: the registry rejected the request
 * (4xx except 429).
 */
export interface PageFault {
  problem: string;
  isRefused: boolean;
}

/**
 * The page to request. `cursor`: where it begins, null for the first page. `since`: only changes after this time, null
 * for everything.
 */
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

/**
 * Requests a page from a registry (v0.1) and waits at most `deadlineMs`. Failures are returned, not thrown: they are
 * expected here.
 */
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
        return { fault: { problem: `The registry answered with status ${response.status}.`, isRefused } };
      }
      const body = await readJson(response, { limitBytes: MAX_PAGE_BYTES });
      if ("refusal" in body && body.refusal.kind === "too_large")
        return faultOf(`A page of the registry is larger than ${MAX_PAGE_BYTES / 1024} KiB.`);
      const page = answer.safeParse("value" in body ? body.value : undefined);
      if (!page.success) return faultOf("The answer is not a list of servers (MCP Registry API v0.1).");
      const { servers, metadata } = page.data;
      const at = timeOf(response.headers.get("date"));
      return { page: { entries: servers, nextCursor: metadata?.nextCursor || null, at } };
    });
  } catch (error) {
    return faultOf(reasonOf(error, deadlineMs));
  }
}

/** The URL of a page. `include_deleted` is for registries that do not imply it with `updated_since`. */
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
  if (error instanceof OutboundRefused) return `The request was not allowed, or was redirected: ${error.message}.`;
  if (error instanceof ResolverUnavailable) return "The host name could not be resolved.";
  if (error instanceof DeadlineExceeded) return `The registry did not answer within ${deadlineMs / 1000} seconds.`;
  return "The registry could not be reached.";
}
