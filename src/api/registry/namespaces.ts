import * as z from "zod";
import { actorOf, type Principal } from "../../access/principal.ts";
import { managesTenant } from "../../identity/standing.ts";
import { AppError } from "../../platform/errors.ts";
import { challengeText, proofUrl } from "../../registry/namespaces/challenge.ts";
import { accountOf, githubIdOf, githubProof } from "../../registry/namespaces/github.ts";
import { githubOwner, namespaceDomain } from "../../registry/name.ts";
import {
  assignNamespace,
  canonicalNamespace,
  proveNamespace,
  coversBelow,
  listNamespaces,
  releaseNamespace,
  standingOf,
  type OwnedNamespace,
} from "../../registry/namespaces/namespaces.ts";
import { askOutside, githubOf } from "../../registry/namespaces/outside.ts";
import { route, type ApiDeps } from "../deps.ts";
import { instant } from "../shapes.ts";
import { notProvable, provedByAccount, provedByDomain } from "./proof.ts";

const who = { scopes: ["mcp-registry:write"] } as const;
const PATH = "/api/v1/registry/namespaces";
const ONE = `${PATH}/{namespace}` as const;

const name = z
  .string()
  .max(190)
  .transform((text, context) => {
    const namespace = canonicalNamespace(text);
    if (namespace !== undefined) return namespace;
    context.addIssue("must be a namespace such as com.example or io.github.example");
    return z.NEVER;
  });
const params = z.object({ namespace: name.describe("The namespace, such as `com.example`.") });

const shape = z
  .object({
    namespace: z
      .string()
      .meta({ examples: ["com.example"] })
      .describe("The namespace."),
    method: z
      .enum(["dns", "http", "github", "administrator"])
      .describe("How it was proved; `administrator`: it was assigned."),
    covers: z.array(z.string()).describe("Patterns of server names that may be published."),
    keys: z.array(z.string()).describe("Public keys whose holders may publish with mcp-publisher."),
    githubId: z
      .string()
      .nullable()
      .describe("The GitHub account whose workflows and tokens may publish with mcp-publisher."),
    verifiedAt: instant("When the proof was last checked."),
  })
  .meta({ id: "Namespace", description: "A namespace that an organization owns and may publish in." });

export const listRegistryNamespaces = route({
  method: "get",
  path: PATH,
  id: "listRegistryNamespaces",
  tag: "Registry management",
  summary: "List the namespaces of your organization",
  who: { scopes: ["mcp-registry:read"] },
  out: z.object({ namespaces: z.array(shape).describe("The namespaces.") }),
  handle: async ({ deps, caller }) => ({
    namespaces: (await listNamespaces(deps.databases.write, caller.tenantId)).map(shown),
  }),
});

const proof = z.discriminatedUnion("method", [
  z.object({
    method: z.literal("dns").describe("Publish a DNS record."),
    name: z.string().describe("The name of the record."),
    type: z.literal("TXT").describe("The type of the record."),
    value: z.string().describe("The text of the record."),
  }),
  z.object({
    method: z.literal("http").describe("Publish a file."),
    url: z.string().describe("The address of the file."),
    line: z.string().describe("A line that the file must contain."),
  }),
  z.object({
    method: z.literal("github").describe("Sign in with GitHub."),
    account: z.string().describe("The account to sign in with."),
  }),
]);

/** Stores nothing: the challenge is derived from the organization and the namespace. */
export const requestRegistryNamespace = route({
  method: "post",
  path: PATH,
  id: "requestRegistryNamespace",
  tag: "Registry management",
  summary: "Get the ways to prove that your organization owns a namespace; one of them is enough",
  who,
  in: { body: z.strictObject({ namespace: name.describe("The namespace, such as `com.example`.") }) },
  refusals: ["conflict"],
  out: z.object({
    namespace: z.string().describe("The namespace in its stored form, in lower case."),
    state: z.enum(["unproved", "owned"]).describe("Whether your organization already owns it."),
    proofs: z.array(proof).describe("Ways to prove it; one is enough."),
    claim: z.string().describe("The text to publish, or to sign with the key of a published v=MCPv1 record."),
    keyRecord: z
      .string()
      .nullable()
      .describe("A record to publish next to the claim, so that mcp-publisher can log in with the private key."),
  }),
  handle: async ({ deps, caller, input: { body } }) => {
    await expectManager(deps, caller);
    const { namespace } = body;
    const standing = await standingOf(deps.databases.write, caller.tenantId, namespace);
    if (standing === "taken") throw taken();
    const domain = namespaceDomain(namespace);
    const account = githubOwner(namespace);
    const challenge = await challengeText(deps.config.BETTER_AUTH_SECRETS, caller.tenantId, namespace);
    if (domain === undefined && account === undefined) throw notProvable(namespace);
    return {
      namespace,
      state: standing === "owned" ? ("owned" as const) : ("unproved" as const),
      proofs:
        domain === undefined
          ? [{ method: "github" as const, account: account ?? "" }]
          : [
              { method: "dns" as const, name: domain, type: "TXT" as const, value: challenge },
              { method: "http" as const, url: proofUrl(domain), line: challenge },
            ],
      claim: challenge,
      keyRecord: domain === undefined ? null : "v=MCPv1; k=ed25519; p=<base64 of the public key>",
    };
  },
});

export const verifyRegistryNamespace = route({
  method: "post",
  path: `${ONE}/verify`,
  id: "verifyRegistryNamespace",
  tag: "Registry management",
  summary: "Check the proof of a namespace, and assign the namespace to your organization",
  who,
  in: {
    params,
    body: z.strictObject({
      method: z.enum(["dns", "http"]).optional().describe("Where the proof is published. Default: dns."),
      signature: z
        .string()
        .max(1_024)
        .optional()
        .describe("The signature of the claim by a published key, in hexadecimal, instead of publishing the claim."),
    }),
  },
  out: shape,
  refusals: ["conflict", "not_implemented"],
  handle: async ({ deps, caller, input: { params: at, body }, from }) => {
    await expectManager(deps, caller);
    const { namespace } = at;
    if ((await standingOf(deps.databases.write, caller.tenantId, namespace)) === "taken") throw taken();
    const proved =
      githubOwner(namespace) === undefined
        ? await provedByDomain(deps, caller.tenantId, namespace, body.method ?? "dns", body.signature)
        : await provedByAccount(deps, caller.userId, namespace);
    const ours = { tenantId: caller.tenantId, namespace, ...proved };
    const owned = await proveNamespace(deps.databases.write, ours, actorOf(caller, from), deps.now());
    if (!owned) throw taken();
    return shown(owned);
  },
});

export const assignRegistryNamespace = route({
  method: "put",
  path: ONE,
  id: "assignRegistryNamespace",
  tag: "Registry management",
  summary: "Assign a namespace to an organization without a proof",
  who: "administrator",
  in: {
    params,
    body: z.strictObject({
      tenantId: z
        .string()
        .regex(/^[\w-]{1,200}$/, "is not a valid organization id")
        .describe("The organization that gets the namespace."),
      replace: z.boolean().default(false).describe("True: take it from its current owner."),
    }),
  },
  out: shape,
  refusals: ["conflict", "not_found"],
  handle: async ({ deps, caller, input: { params: at, body }, from }) => {
    const account = githubOwner(at.namespace);
    const isAsked = account !== undefined && deps.config.GITHUB_CLIENT_ID !== undefined;
    const found = isAsked ? await askOutside(() => accountOf(githubOf(deps), account)) : undefined;
    const assignment = { ...body, namespace: at.namespace, proof: found ? githubProof(found) : null };
    const done = await assignNamespace(deps.databases.write, assignment, actorOf(caller, from), deps.now());
    switch (done.state) {
      case "assigned":
        deps.published.answers.expire(deps.now());
        return shown(done.owned);
      case "taken":
        throw taken();
      case "no_tenant":
        throw new AppError("not_found", "There is no organization with this id.");
      default:
        return done satisfies never;
    }
  },
});

export const releaseRegistryNamespace = route({
  method: "delete",
  path: ONE,
  id: "releaseRegistryNamespace",
  tag: "Registry management",
  summary: "Release a namespace; public servers in it become private",
  who,
  in: { params },
  out: z.object({ released: z.literal(true).describe("The namespace was released. Others can prove it now.") }),
  refusals: ["not_found"],
  handle: async ({ deps, caller, input, from }) => {
    await expectManager(deps, caller);
    const what = { tenantId: caller.tenantId, namespace: input.params.namespace };
    if (!(await releaseNamespace(deps.databases.write, what, actorOf(caller, from), deps.now())))
      throw new AppError("not_found", "Your organization does not own this namespace.");
    deps.published.answers.expire(deps.now());
    return { released: true as const };
  },
});

/** Only managers of the organization add and remove namespaces, not a member with a key for publishing. */
async function expectManager({ databases }: ApiDeps, caller: Principal): Promise<void> {
  if (caller.restricted || !(await managesTenant(databases.write, caller)))
    throw new AppError("forbidden", "Only owners and administrators of the organization can manage namespaces.");
}

const shown = ({ namespace, method, proof: kept, verifiedAt }: OwnedNamespace): z.infer<typeof shape> => ({
  namespace,
  method,
  covers: [`${namespace}/*`, ...(coversBelow(namespace, method) ? [`${namespace}.*/*`] : [])],
  keys: (kept ?? "").split("\n").filter((line) => line.startsWith("k=")),
  githubId: githubIdOf(kept),
  verifiedAt: verifiedAt.toISOString(),
});

const taken = () =>
  new AppError(
    "conflict",
    "Another organization owns this namespace. If it should be yours, ask an administrator of this gateway.",
  );
