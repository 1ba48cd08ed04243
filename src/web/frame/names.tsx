import type { FC } from "hono/jsx";
import type { Membership } from "../../identity/tenants.ts";
import { untrustedText } from "./untrusted.ts";

export const TenantName: FC<{ of: Membership }> = ({ of: { name, personal } }) => {
  const shown = untrustedText(name) || "an organization without a name";
  return personal ? <>Your personal organization</> : <bdi>{shown}</bdi>;
};

/** An id that is a URL was fetched from there, so its host is known; any other id was given out to whoever asked. */
export const Client: FC<{ clientId: string }> = ({ clientId }) => {
  const url = URL.parse(clientId);
  return url?.protocol === "https:" ? (
    <>
      <dt>Published by</dt>
      <dd>{url.host}</dd>
    </>
  ) : (
    <>
      <dt>App id</dt>
      <dd>
        <code>{untrustedText(clientId, 120)}</code>
      </dd>
    </>
  );
};
