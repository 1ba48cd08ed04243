import type { FC } from "hono/jsx";
import type { Membership } from "../../identity/tenants.ts";
import { untrustedText } from "./untrusted.ts";

export const TenantName: FC<{ of: Membership }> = ({ of: { name, personal } }) => {
  const shown = untrustedText(name) || "Unnamed organization";
  return personal ? <>Personal</> : <bdi>{shown}</bdi>;
};

/**
 * A client id that is a URL was fetched from there, so its host is known. Any other id was issued to whoever
 * registered.
 */
export const Client: FC<{ clientId: string }> = ({ clientId }) => {
  const url = URL.parse(clientId);
  return url?.protocol === "https:" ? (
    <>
      <dt>Published by</dt>
      <dd>{url.host}</dd>
    </>
  ) : (
    <>
      <dt>This app</dt>
      <dd>
        <code>{untrustedText(clientId, 120)}</code>
      </dd>
    </>
  );
};
