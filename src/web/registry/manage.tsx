import type { FC } from "hono/jsx";
import type { RegistryEntry } from "../../registry/reading/entry.ts";
import { MAX_STATUS_MESSAGE } from "../../registry/publishing/status.ts";
import { Form } from "../frame/fields.tsx";
import { Select } from "../frame/fields.tsx";
import { untrustedText } from "../frame/untrusted.ts";

/** What the forms that manage a server need. */
export interface Management {
  tokens: Readonly<Record<"status" | "visibility" | "gateway", string>>;
  tenantId: string;
  /** Whether the person is an owner or admin: only these may change visibility and connection. */
  curates: boolean;
  /** Slugs of the tenant's enabled upstreams. */
  upstreams: readonly string[];
  /** Path of the page. The forms post to paths below it. */
  base: string;
}

interface ManageProps extends Management {
  entry: RegistryEntry;
  /** The message that was entered, when the status form was refused. */
  message?: string | undefined;
}

/** The forms that set the status of a server, its visibility, and how clients connect to it. */
export const ManageServer: FC<ManageProps> = ({ tokens, tenantId, curates, upstreams, base, entry, message }) => {
  const carry = { tenant: tenantId, version: entry.version };
  return (
    <section class="stack" aria-labelledby="manage">
      <h2 id="manage">Manage</h2>
      <div class="card">
        <Form action={`${base}/status`} token={tokens.status} carry={carry}>
          <Select
            name="status"
            label={`Status of version ${untrustedText(entry.version, 40)}`}
            value={entry.status}
            options={[
              ["active", "Active"],
              ["deprecated", "Deprecated: clients still see it, with the message"],
              ["deleted", "Deleted: hidden from clients"],
            ]}
          />
          <div class="field">
            <label for="message">Message</label>
            <input
              id="message"
              name="message"
              type="text"
              value={untrustedText(message ?? entry.statusMessage ?? "", MAX_STATUS_MESSAGE)}
              maxlength={MAX_STATUS_MESSAGE}
              autocomplete="off"
              aria-describedby="message-hint"
            />
            <p id="message-hint" class="muted small">
              For deprecated or deleted versions: the reason, and what to use instead.
            </p>
          </div>
          <fieldset class="choices">
            <legend>Applies to</legend>
            <label>
              <input type="checkbox" name="all" value="yes" /> All versions of this server
            </label>
          </fieldset>
          <div>
            <button type="submit">Set status</button>
          </div>
        </Form>
      </div>
      {curates && (
        <>
          <div class="card">
            <Form
              action={`${base}/visibility`}
              token={tokens.visibility}
              carry={{ ...carry, public: entry.isPublic ? "no" : "yes" }}
            >
              <p>
                {entry.isPublic
                  ? "Visibility: public. Everybody can see this server, even without signing in."
                  : "Visibility: private. Only members of the organization can see this server."}
              </p>
              <div>
                <button type="submit">{entry.isPublic ? "Make private" : "Make public"}</button>
              </div>
            </Form>
          </div>
          <div class="card">
            <Form action={`${base}/gateway`} token={tokens.gateway} carry={carry}>
              <Select
                name="gateway"
                label="Connection"
                value={entry.gatewaySlug ?? ""}
                options={[["", "Direct"], ...gatewayOptions(upstreams, entry.gatewaySlug)]}
                hint="Direct: clients use the server's own addresses or packages. Through this gateway: clients sign in here, and each call is limited and recorded."
              />
              <div>
                <button type="submit">Save</button>
              </div>
            </Form>
          </div>
        </>
      )}
    </section>
  );
};

/** The current choice is included even if that upstream is disabled now. */
const gatewayOptions = (upstreams: readonly string[], set: string | null): (readonly [string, string])[] =>
  [...new Set([...upstreams, ...(set === null ? [] : [set])])].map(
    (slug) => [slug, `Through this gateway: ${untrustedText(slug, 40)}`] as const,
  );
