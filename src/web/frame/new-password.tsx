import type { FC } from "hono/jsx";
import { PASSWORD_LENGTH } from "../../accounts/sign-up.ts";
import type { AuthAnswer } from "./auth-request.ts";
import { Field } from "./fields.tsx";
import { inWords } from "./time.tsx";

const LENGTH_PROBLEM = `Choose a password of ${PASSWORD_LENGTH.min} to ${PASSWORD_LENGTH.max} characters.`;

/** The text for Better Auth's error code about a new password, or undefined for other codes. */
export const newPasswordProblem = ({ code }: Pick<AuthAnswer, "code">): string | undefined =>
  code === "PASSWORD_TOO_SHORT" || code === "PASSWORD_TOO_LONG" || code === "PASSWORD_NEEDED"
    ? LENGTH_PROBLEM
    : undefined;

/** The text for a person who has to wait before the next attempt. */
export const waitText = ({ retryAfter }: Pick<AuthAnswer, "retryAfter">) =>
  `Too many attempts. Wait ${inWords(retryAfter)}, then try again.`;

/** The input for a password that the person chooses now. */
export const NewPasswordField: FC<{ name: string; problem?: string | undefined }> = ({ name, problem }) => (
  <Field
    name={name}
    label="New password"
    type="password"
    autocomplete="new-password"
    hint={`At least ${PASSWORD_LENGTH.min} characters.`}
    problem={problem}
    minlength={PASSWORD_LENGTH.min}
    maxlength={PASSWORD_LENGTH.max}
  />
);
