import type { FC } from "hono/jsx";
import type { RegistryEntry } from "../../registry/reading/entry.ts";
import { MAX_STATUS_MESSAGE } from "../../registry/publishing/status.ts";
import { Form } from "../frame/fields.tsx";
import { Select } from "../frame/fields.tsx";
import { untrustedText } from "../frame/untrusted.ts";

/** What the person may do about a server beside looking at it. */
export interface Management {
  tokens: Readonly<Record<"status" | "visibility" | "gateway", string>>;
  tenantId: string;
  /** Whether they are an owner or administrator: these decide how servers are shown. */
  curates: boolean;
  /** Slugs of the tenant's enabled upstreams. */
  upstreams: readonly string[];
  /** Of the page, below which the forms are sent. */
  base: string;
}

interface ManageProps extends Management {
  entry: RegistryEntry;
  /** What was entered into the form of the status, when something is wrong with it. */
  message?: string | undefined;
}

/** The forms with which a server is withdrawn, shown, and led through this gateway. */
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
              ["deleted", "Deleted: clients do not see it any more"],
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
              For deprecated or deleted: why, and what to use instead.
            </p>
          </div>
          <fieldset class="choices">
            <legend>Concerns</legend>
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
                  ? "Everybody sees this server, also without signing in."
                  : "Only members of the organization see this server."}
              </p>
              <div>
                <button type="submit">
                  {entry.isPublic ? "Show it to the organization only" : "Show it to everybody"}
                </button>
              </div>
            </Form>
          </div>
          <div class="card">
            <Form action={`${base}/gateway`} token={tokens.gateway} carry={carry}>
              <Select
                name="gateway"
                label="Clients reach it"
                value={entry.gatewaySlug ?? ""}
                options={[
                  ["", "At its own addresses, or by its packages"],
                  ...gatewayOptions(upstreams, entry.gatewaySlug),
                ]}
                hint="Through this gateway clients sign in here, and each call is limited and recorded."
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

/** The one that is set is among them even when it is disabled by now. */
const gatewayOptions = (upstreams: readonly string[], set: string | null): (readonly [string, string])[] =>
  [...new Set([...upstreams, ...(set === null ? [] : [set])])].map(
    (slug) => [slug, `Through this gateway: ${untrustedText(slug, 40)}`] as const,
  );
