import * as z from "zod";
import { actorOf, type Principal } from "../../access/principal.ts";
import type { TenantActor } from "../../audit/event.ts";
import { AppError } from "../../platform/errors.ts";
import type { RequestOrigin } from "../../platform/http.ts";
import { addressRange } from "../../platform/ip.ts";
import { forgetViews } from "../../registry/reading/answer-cache.ts";
import {
  createView as makeView,
  deleteView as endView,
  MAX_VIEWS,
  rotateView as replaceView,
  viewsOf,
  type ViewInfo,
  type ViewRefusal,
} from "../../registry/views/changes.ts";
import { route } from "../deps.ts";
import { instant, maybeInstant } from "../shapes.ts";

const who = { scopes: ["mcp-registry:write"] } as const;
const PATH = "/api/v1/registry/views";
const DAY_SECONDS = 86_400;
const OVERLAP_SECONDS = { usual: DAY_SECONDS, most: 30 * DAY_SECONDS };

const params = z.object({ id: z.uuid("is not a valid view id").describe("The id of the view.") });
const shape = z.object({
  id: z.string().describe("The id of the view; not a secret."),
  name: z.string().describe("The name of the view, for people."),
  addresses: z
    .array(z.string())
    .nullable()
    .describe("IP addresses and CIDR blocks from which it can be used; null: from anywhere."),
  createdAt: instant("When it was created."),
  createdBy: z.string().nullable().describe("The id of the person who created it."),
  endsAt: maybeInstant("Until when a rotated view works; null: it was not rotated."),
  lastUsedAt: maybeInstant("When it was last used; null: never."),
});
const view = shape.meta({ id: "RegistryView", description: "A private view, without its address." });
const madeView = shape
  .extend({
    url: z.string().describe("The registry URL for clients. It contains the secret and is shown only in this answer."),
  })
  .meta({ id: "CreatedRegistryView", description: "A private view with its address." });

const name = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .refine((text) => text.isWellFormed() && !/\p{Cc}/u.test(text), "must not have control characters")
  .describe("The name of the view, for people.");
const addresses = z
  .array(
    z
      .string()
      .trim()
      .refine((text) => addressRange(text) !== undefined, "must be an IP address or a CIDR block"),
  )
  .min(1, "must have at least one address, or be left out")
  .max(100)
  .nullable()
  .describe("IP addresses and CIDR blocks from which it can be used; null: from anywhere.");

/** For owners and administrators of the credential's organization. */
export const listViews = route({
  method: "get",
  path: PATH,
  id: "listRegistryViews",
  tag: "Registry management",
  summary: "List the private views of your organization's registry, for clients that cannot send credentials",
  who,
  out: z.object({ views: z.array(view).describe("The views.") }),
  handle: async ({ deps, caller, from }) => {
    const views = await viewsOf({ db: deps.databases.write }, viewManager(caller, from));
    if (views === undefined) throw refused({ state: "forbidden" });
    return { views: views.map(shown) };
  },
});

export const createView = route({
  method: "post",
  path: PATH,
  id: "createRegistryView",
  tag: "Registry management",
  summary: "Create a private view; its address is shown only in this answer",
  who,
  in: { body: z.strictObject({ name, addresses: addresses.default(null) }) },
  refusals: ["conflict"],
  out: madeView,
  status: 201,
  handle: async ({ deps, caller, input, from }) => {
    const made = await makeView({ db: deps.databases.write }, viewManager(caller, from), input.body, deps.now());
    if (made.state !== "done") throw refused(made);
    return { ...shown(made.info), url: `${deps.config.BASE_URL}/r/${made.secret}` };
  },
});

export const rotateView = route({
  method: "post",
  path: `${PATH}/{id}/rotate`,
  id: "rotateRegistryView",
  tag: "Registry management",
  summary: "Replace the address of a private view; the old one works until the overlap ends",
  who,
  in: {
    params,
    body: z.strictObject({
      overlapSeconds: z
        .int()
        .min(0)
        .max(OVERLAP_SECONDS.most)
        .default(OVERLAP_SECONDS.usual)
        .describe("How long the old address still works, in seconds."),
    }),
  },
  refusals: ["not_found", "conflict"],
  out: madeView,
  status: 201,
  handle: async ({ deps, caller, input: { params: at, body }, from }) => {
    const change = { id: at.id, overlapSeconds: body.overlapSeconds };
    const made = await replaceView({ db: deps.databases.write }, viewManager(caller, from), change, deps.now());
    if (made.state !== "done") throw refused(made);
    forgetViews(deps.published);
    return { ...shown(made.info), url: `${deps.config.BASE_URL}/r/${made.secret}` };
  },
});

export const deleteView = route({
  method: "delete",
  path: `${PATH}/{id}`,
  id: "deleteRegistryView",
  tag: "Registry management",
  summary: "Delete a private view; it stops working everywhere within five seconds",
  who,
  in: { params },
  out: z.object({ deleted: z.literal(true).describe("The view was deleted.") }),
  refusals: ["not_found"],
  handle: async ({ deps, caller, input, from }) => {
    const gone = await endView({ db: deps.databases.write }, viewManager(caller, from), input.params.id, deps.now());
    if (gone.state !== "done") throw refused(gone);
    forgetViews(deps.published);
    return { deleted: true as const };
  },
});

/**
 * The actor for changes of views. Refuses a restricted credential, because the address of a view has none of its
 * restrictions.
 */
function viewManager(caller: Principal, from: RequestOrigin): TenantActor {
  if (caller.restricted)
    throw new AppError(
      "forbidden",
      "This credential is limited to some servers, tools or addresses, or by a quota or rate. It cannot manage views.",
    );
  return actorOf(caller, from);
}

const iso = (time: Date | null) => time?.toISOString() ?? null;

const shown = (info: ViewInfo): z.infer<typeof view> => ({
  ...info,
  createdAt: info.createdAt.toISOString(),
  endsAt: iso(info.endsAt),
  lastUsedAt: iso(info.lastUsedAt),
});

function refused({ state }: ViewRefusal): AppError {
  switch (state) {
    case "forbidden":
      return new AppError("forbidden", "Only owners and administrators of the organization can manage private views.");
    case "unknown":
      return new AppError("not_found", "Your organization has no view with this id.");
    case "full":
      return new AppError(
        "conflict",
        `An organization can have at most ${MAX_VIEWS} views. Delete one that is no longer needed.`,
      );
    case "ending":
      return new AppError("conflict", "This view was already rotated. Rotate the view that replaced it.");
    default:
      return state satisfies never;
  }
}
