import type { Principal } from "../access/principal.ts";
import { auditText } from "../audit/event.ts";
import type { RequestOrigin } from "../platform/http.ts";

/** Who made a change and from where, as the audit log keeps it of every change over this plane. */
export const trailOf = ({ userId, credential, clientId }: Principal, { requestId, ip, userAgent }: RequestOrigin) => ({
  userId,
  credentialKind: credential.kind,
  credentialId: credential.id,
  clientId,
  requestId,
  ip: auditText(ip),
  userAgent: auditText(userAgent),
});
