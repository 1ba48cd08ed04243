import type { FC } from "hono/jsx";
import { SCOPES, type Scope } from "../../identity/scopes.ts";
import { describedGroup, LinesField, NumberField, Said, Select } from "../frame/fields.tsx";
import type { InputProblems, KeyEntries } from "./form.ts";

/** What the key may do, in the words in which apps ask for it. */
export const ScopeChoice: FC<{
  offered: readonly Scope[];
  chosen: readonly string[];
  problem?: string | undefined;
}> = ({ offered, chosen, problem }) => (
  <fieldset class="choices" id="scope" {...describedGroup("scope", problem)}>
    <legend>May</legend>
    {offered.map((scope) => (
      <label>
        <input type="checkbox" name="scope" value={scope} checked={chosen.includes(scope)} />
        <span>{SCOPES[scope]}</span>
      </label>
    ))}
    <Said name="scope" problem={problem} />
  </fieldset>
);

const LINES = [
  ["servers", "Servers", "Short names of servers, one per line. Empty: all servers of the organization."],
  ["tools", "Tools", "Names of tools as the gateway lists them, one per line. Empty: all tools."],
  [
    "addresses",
    "Addresses",
    "Addresses or blocks from which the key works, one per line, such as 203.0.113.7 or 2001:db8::/32. Empty: from everywhere.",
  ],
] as const;

/** Where and how much the key may be used. */
export const LimitFields: FC<{ entries: KeyEntries; problems: InputProblems }> = ({ entries, problems }) => (
  <>
    {LINES.map(([name, label, hint]) => (
      <LinesField name={name} label={label} hint={hint} value={entries[name]} problem={problems[name]} />
    ))}
    <NumberField
      name="per_minute"
      label="Calls per minute"
      hint="Empty: as the organization allows."
      value={entries.per_minute}
      problem={problems.per_minute}
    />
    <NumberField
      name="burst"
      label="Calls at once"
      hint="How many of them may come together. Empty: all of a minute."
      value={entries.burst}
      problem={problems.burst}
    />
    <NumberField
      name="quota"
      label="Quota"
      hint="How many calls the key is good for. Empty: no end."
      value={entries.quota}
      problem={problems.quota}
    />
    <Select
      name="period"
      label="The quota is for"
      value={entries.period}
      options={[
        ["month", "Each month (UTC)"],
        ["total", "All time"],
      ]}
      problem={problems.period}
    />
  </>
);
