import type { Child, FC } from "hono/jsx";
import { SCOPES, type Scope } from "../../identity/scopes.ts";
import type { InputProblems, KeyEntries } from "./form.ts";

interface OptionalFieldProps {
  name: string;
  label: string;
  value: string;
  hint?: string;
  problem?: string | undefined;
}

/** What is said under an input, bound to it by {@link described}. */
const Said: FC<Pick<OptionalFieldProps, "name" | "hint" | "problem">> = ({ name, hint, problem }) => (
  <>
    {hint && (
      <p id={`${name}-hint`} class="muted small">
        {hint}
      </p>
    )}
    {problem && (
      <p id={`${name}-problem`} class="problem" role="alert">
        {problem}
      </p>
    )}
  </>
);

function described({ name, hint, problem }: Pick<OptionalFieldProps, "name" | "hint" | "problem">) {
  const ids = [problem && `${name}-problem`, hint && `${name}-hint`].filter(Boolean).join(" ");
  return { "aria-describedby": ids === "" ? undefined : ids, "aria-invalid": problem ? ("true" as const) : undefined };
}

/** As {@link described}, for a group of inputs: what is wrong with it is no property of the group (WAI-ARIA 1.2 §6.6). */
const describedGroup = (name: string, problem: string | undefined) => ({
  "aria-describedby": problem ? `${name}-problem` : undefined,
});

/** A number that may be left out. */
const NumberField: FC<OptionalFieldProps> = (props) => (
  <div class="field">
    <label for={props.name}>{props.label}</label>
    <input
      id={props.name}
      name={props.name}
      type="text"
      inputmode="numeric"
      value={props.value}
      autocomplete="off"
      maxlength={13}
      {...described(props)}
    />
    <Said {...props} />
  </div>
);

/** A list with one entry per line, which may be empty. */
const LinesField: FC<OptionalFieldProps> = (props) => (
  <div class="field">
    <label for={props.name}>{props.label}</label>
    <textarea id={props.name} name={props.name} rows={3} spellcheck={false} autocomplete="off" {...described(props)}>
      {props.value}
    </textarea>
    <Said {...props} />
  </div>
);

/** One of several values. */
export const Select: FC<OptionalFieldProps & { options: readonly (readonly [value: string, label: string])[] }> = (
  props,
) => (
  <div class="field">
    <label for={props.name}>{props.label}</label>
    <select id={props.name} name={props.name} {...described(props)}>
      {props.options.map(([value, label]) => (
        <option value={value} selected={value === props.value}>
          {label}
        </option>
      ))}
    </select>
    <Said {...props} />
  </div>
);

/** One of several values, each with a sentence. */
export const Radios: FC<{
  name: string;
  legend: string;
  value: string;
  options: readonly (readonly [value: string, label: Child])[];
  problem?: string | undefined;
}> = ({ name, legend, value, options, problem }) => (
  <fieldset class="choices" id={name} {...describedGroup(name, problem)}>
    <legend>{legend}</legend>
    {options.map(([one, label]) => (
      <label>
        <input type="radio" name={name} value={one} checked={one === value} required />
        <span>{label}</span>
      </label>
    ))}
    <Said name={name} problem={problem} />
  </fieldset>
);

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
