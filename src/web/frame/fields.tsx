import type { FC, PropsWithChildren } from "hono/jsx";
import { TOKEN_FIELD } from "./form.ts";

/** A form that posts to `action` with the token that its handler checks; `carry` holds hidden fields, absent ones are left out. */
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

/** A required input with its label, its hint and its problem bound to it. */
export const Field: FC<FieldProps> = (props) => {
  const { name, label, hint, problem, describedBy } = props;
  const describers = [problem && `${name}-problem`, hint && `${name}-hint`, describedBy].filter(Boolean).join(" ");
  return (
    <div class="field">
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        type={props.type}
        value={props.value}
        autocomplete={props.autocomplete}
        minlength={props.minlength}
        maxlength={props.maxlength}
        aria-describedby={describers === "" ? undefined : describers}
        aria-invalid={problem || describedBy ? "true" : undefined}
        required
      />
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
    </div>
  );
};
