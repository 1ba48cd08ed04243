import * as z from "zod/v4";
import { builtinTool } from "./tool.ts";

/** Shows the caller how this gateway sees them. */
export const whoami = builtinTool({
  name: "whoami",
  title: "Who am I",
  description: "Returns the user, tenant, scopes and kind of credential that this gateway sees for the caller.",
  scopes: ["mcp:tools"],
  input: z.object({}),
  output: z.object({
    userId: z.string(),
    tenantId: z.string(),
    scopes: z.array(z.string()),
    credential: z.enum(["access_token", "api_key"]),
    credentialName: z.string().nullable(),
    clientId: z.string().nullable(),
  }),
  annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
  run: (_args, { caller }) => ({
    userId: caller.userId,
    tenantId: caller.tenantId,
    scopes: [...caller.scopes],
    credential: caller.credential.kind,
    credentialName: caller.credential.name,
    clientId: caller.clientId,
  }),
});
