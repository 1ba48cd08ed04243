import type { FC } from "hono/jsx";
import { SCOPES, type Scope } from "../../identity/scopes.ts";
import { describedGroup, LinesField, NumberField, FieldTexts, Select } from "../frame/fields.tsx";
import type { InputProblems, KeyEntries } from "./form.ts";

/** The permissions of the key, in the same words as on the consent page. */
export const ScopeChoice: FC<{
  offered: readonly Scope[];
  chosen: readonly string[];
  problem?: string | undefined;
}> = ({ offered, chosen, problem }) => (
  <fieldset class="choices" id="scope" {...describedGroup("scope", problem)}>
    <legend>Permissions</legend>
    {offered.map((scope) => (
      <label>
        <input type="checkbox" name="scope" value={scope} checked={chosen.includes(scope)} />
        <span>{SCOPES[scope]}</span>
      </label>
    ))}
    <FieldTexts name="scope" problem={problem} />
  </fieldset>
);

const LINES = [
  [
    "servers",
    "Servers",
    "Servers this key can use: their slugs, one per line. Leave empty for all servers of the organization.",
  ],
  [
    "tools",
    "Tools",
    "Tools this key can use: their names as the gateway lists them, one per line. Leave empty for all tools.",
  ],
  [
    "addresses",
    "IP addresses",
    "Addresses or blocks from which the key works, one per line, such as 203.0.113.7 or 2001:db8::/32. Leave empty for any address.",
  ],
] as const;

/** The inputs for the limits of a key. */
export const LimitFields: FC<{ entries: KeyEntries; problems: InputProblems }> = ({ entries, problems }) => (
  <>
    {LINES.map(([name, label, hint]) => (
      <LinesField name={name} label={label} hint={hint} value={entries[name]} problem={problems[name]} />
    ))}
    <NumberField
      name="per_minute"
      label="Calls per minute"
      hint="Leave empty for the limit of the organization."
      value={entries.per_minute}
      problem={problems.per_minute}
    />
    <NumberField
      name="burst"
      label="Burst"
      hint="Calls that may come at once. Defaults to the per-minute limit."
      value={entries.burst}
      problem={problems.burst}
    />
    <NumberField
      name="quota"
      label="Quota"
      hint="Total calls allowed in the period below. Leave empty for unlimited."
      value={entries.quota}
      problem={problems.quota}
    />
    <Select
      name="period"
      label="Quota period"
      value={entries.period}
      options={[
        ["month", "Each month (UTC)"],
        ["total", "All time"],
      ]}
      problem={problems.period}
    />
  </>
);
