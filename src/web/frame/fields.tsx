import type { Child, FC, PropsWithChildren } from "hono/jsx";
import { TOKEN_FIELD } from "./form.ts";

/**
 * A form that posts to `action`, with the token that its handler checks. `carry` are hidden fields; undefined ones are
 * left out.
 */
export const Form: FC<
  PropsWithChildren<{ action: string; token: string; carry?: Readonly<Record<string, string | undefined>> }>
> = ({ action, token, carry = {}, children }) => (
  <form method="post" action={action} class="stack">
    {Object.entries({ [TOKEN_FIELD]: token, ...carry }).map(([name, value]) =>
      value === undefined ? null : <input type="hidden" name={name} value={value} />,
    )}
    {children}
  </form>
);

interface FieldProps {
  name: string;
  label: string;
  type: "text" | "email" | "password";
  autocomplete: string;
  value?: string | undefined;
  hint?: string;
  /** What is wrong with the value, shown under the input. */
  problem?: string | undefined;
  /** Id of a message elsewhere on the page that concerns this input. */
  describedBy?: string | undefined;
  minlength?: number;
  maxlength: number;
}

/** A required input with its label, hint and problem. */
export const Field: FC<FieldProps> = (props) => (
  <div class="field">
    <label for={props.name}>{props.label}</label>
    <input
      id={props.name}
      name={props.name}
      type={props.type}
      value={props.value}
      autocomplete={props.autocomplete}
      minlength={props.minlength}
      maxlength={props.maxlength}
      {...described(props)}
      required
    />
    <FieldTexts {...props} />
  </div>
);

interface OptionalFieldProps {
  name: string;
  label: string;
  value: string;
  hint?: string;
  problem?: string | undefined;
}

/** The hint and the problem under an input. {@link described} links the input to them. */
export const FieldTexts: FC<Pick<FieldProps, "name" | "hint" | "problem">> = ({ name, hint, problem }) => (
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

function described({ name, hint, problem, describedBy }: Described) {
  const ids = [problem && `${name}-problem`, hint && `${name}-hint`, describedBy].filter(Boolean).join(" ");
  return {
    "aria-describedby": ids === "" ? undefined : ids,
    "aria-invalid": problem || describedBy ? ("true" as const) : undefined,
  };
}

type Described = Pick<FieldProps, "name" | "hint" | "problem" | "describedBy">;

/** As {@link described}, for a group of inputs. A group does not support `aria-invalid` (WAI-ARIA 1.2 §6.6). */
export const describedGroup = (name: string, problem: string | undefined) => ({
  "aria-describedby": problem ? `${name}-problem` : undefined,
});

/** A number, optional. */
export const NumberField: FC<OptionalFieldProps> = (props) => (
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
    <FieldTexts {...props} />
  </div>
);

/** A list with one entry per line, optional. */
export const LinesField: FC<OptionalFieldProps> = (props) => (
  <div class="field">
    <label for={props.name}>{props.label}</label>
    <textarea id={props.name} name={props.name} rows={3} spellcheck={false} autocomplete="off" {...described(props)}>
      {props.value}
    </textarea>
    <FieldTexts {...props} />
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
    <FieldTexts {...props} />
  </div>
);

/** One of several values, as radio buttons. */
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
    <FieldTexts name={name} problem={problem} />
  </fieldset>
);
