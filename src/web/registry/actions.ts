import type { TenantActor } from "../../audit/event.ts";
import type { ServerStatus } from "../../registry/reading/entry.ts";
import { MAX_STATUS_MESSAGE, setStatus, type StatusChanged } from "../../registry/publishing/status.ts";
import { setGateway, setVisibility, type Curated } from "../../registry/publishing/visibility.ts";
import type { PageContext, WebDeps } from "../frame/deps.ts";
import {
  type DONE,
  forServer,
  noSuchServer,
  serverPage,
  type SeenServer,
  type ServerPageState,
} from "./server-page.tsx";
import { sessionActor } from "../frame/session.ts";

const STATUSES: readonly ServerStatus[] = ["active", "deprecated", "deleted"];

/** Handles a post about one server. Its form names the tenant and the version. */
const forPost = (deps: WebDeps, answer: (c: PageContext, seen: SeenServer) => Promise<Response>) =>
  forServer(deps, (c) => ({ tenant: c.get("form").get("tenant"), version: c.get("form").get("version") }), answer);

/** `POST …/status`: deprecates, deletes or restores a version, or all of them. */
export function postStatus(deps: WebDeps) {
  return forPost(deps, async (c, seen) => {
    const form = c.get("form");
    const status = STATUSES.find((one) => one === form.get("status"));
    const message = (form.get("message") ?? "").trim();
    const wrong = (text: string) => serverPage(c, deps, seen, { ...danger(400, text), message });
    if (status === undefined) return wrong("Choose a status.");
    if (Array.from(message).length > MAX_STATUS_MESSAGE || !message.isWellFormed() || /\p{Cc}/u.test(message))
      return wrong(`Enter a message of at most ${MAX_STATUS_MESSAGE} characters, on one line.`);
    if (status === "active" && message !== "") return wrong("An active version has no message. Leave the field empty.");
    const publisher = { ...curatorOf(c, seen), namespaces: "owned" } as const;
    const version = form.get("all") === "yes" ? null : seen.entry.version;
    const change = { status, statusMessage: message === "" ? null : message };
    const changed = await setStatus(deps.db, publisher, seen.entry.name, version, change, Date.now());
    return settledStatus(c, deps, seen, changed, message);
  });
}

function settledStatus(
  c: PageContext,
  deps: WebDeps,
  seen: SeenServer,
  { state }: StatusChanged,
  message: string,
): Response | Promise<Response> {
  switch (state) {
    case "done":
    case "unchanged":
      return back(c, seen, "status");
    case "unknown":
      return noSuchServer(c);
    case "namespace":
      return serverPage(c, deps, seen, { ...danger(403, "Your organization does not own this namespace."), message });
    case "mirrored":
      return serverPage(c, deps, seen, { ...danger(409, MIRRORED), message });
    default:
      return state satisfies never;
  }
}

const MIRRORED =
  "This server is mirrored from another registry, which sets its status. To remove it, deny its name in the rules of the source.";

/** `POST …/visibility`: makes the server public, or visible to the organization only. */
export function postVisibility(deps: WebDeps) {
  return forPost(deps, async (c, seen) => {
    const isPublic = c.get("form").get("public") === "yes";
    const curated = await setVisibility(deps.db, curatorOf(c, seen), seen.entry.name, isPublic, Date.now());
    return settled(c, deps, seen, curated, isPublic ? "public" : "private");
  });
}

/** `POST …/gateway`: connects clients to the server through this gateway, or directly at its own addresses. */
export function postGateway(deps: WebDeps) {
  return forPost(deps, async (c, seen) => {
    const slug = c.get("form").get("gateway") ?? "";
    if (slug !== "" && !/^[a-z0-9-]{1,16}$/.test(slug)) return settled(c, deps, seen, "impossible", "gateway");
    const curator = curatorOf(c, seen);
    const curated = await setGateway(deps.db, curator, seen.entry.name, slug === "" ? null : slug, Date.now());
    return settled(c, deps, seen, curated, "gateway");
  });
}

const curatorOf = (c: PageContext, { person, tenancy }: SeenServer): TenantActor => ({
  ...sessionActor(c, person),
  tenantId: tenancy.tenant.tenantId,
});

function settled(
  c: PageContext,
  deps: WebDeps,
  seen: SeenServer,
  curated: Curated,
  done: keyof typeof DONE,
): Response | Promise<Response> {
  switch (curated) {
    case "done":
      return back(c, seen, done);
    case "unknown":
      return noSuchServer(c);
    case "forbidden":
      return serverPage(
        c,
        deps,
        seen,
        danger(403, "Only owners and admins of the organization can change this. Ask one of them."),
      );
    case "impossible":
      return serverPage(c, deps, seen, IMPOSSIBLE[done === "gateway" ? "gateway" : "visibility"]);
    default:
      return curated satisfies never;
  }
}

const danger = (status: 400 | 403 | 409, text: string): ServerPageState => ({
  status,
  notice: { tone: "danger", text },
});

const IMPOSSIBLE = {
  gateway: danger(400, "Your organization has no enabled server with that slug behind this gateway."),
  visibility: danger(
    403,
    "Your organization does not own the namespace of this server, so only its members can see it. Administrators of the gateway can make mirrored servers public.",
  ),
};

const back = (c: PageContext, { entry, paths }: SeenServer, done: keyof typeof DONE) =>
  c.redirect(paths.server(entry.name, { ...(entry.isLatest ? {} : { version: entry.version }), done }), 303);
