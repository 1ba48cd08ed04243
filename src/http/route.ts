import type { Context } from "hono";
import type * as z from "zod";
import type { Scope } from "../identity/scopes.ts";
import type { ErrorCode } from "../platform/errors.ts";
import type { JsonRules } from "../platform/body.ts";
import { BODY_RULES, type JsonText } from "./body.ts";
import { originOf, type HttpEnv, type RequestOrigin } from "../platform/http.ts";
import { readInput } from "./input.ts";

/**
 * Who may use a route. There is no default.
 * - `administrator`: an administrator of this gateway, with a credential that has the scope `admin`.
 * - `view`: anyone with the secret in the URL.
 * - `scopes`: a credential with all of these scopes.
 * - `optional`: anyone; a credential, if sent, must be valid and have all of these scopes.
 * - `publisher`: a publisher token, a token of the retired registry, or a credential with all of these scopes.
 */
export type Who =
  | "anyone"
  | "administrator"
  | "view"
  | { scopes: readonly Scope[] }
  | { optional: readonly Scope[] }
  | { publisher: readonly Scope[] };

/** The types by which a plane represents its callers. */
export interface Callers {
  principal: unknown;
  reader: unknown;
  publisher: unknown;
}

export type CallerOf<Known extends Callers, W extends Who> = W extends "anyone"
  ? undefined
  : W extends "view" | { optional: readonly Scope[] }
    ? Known["reader"]
    : W extends { publisher: readonly Scope[] }
      ? Known["publisher"]
      : Known["principal"];

/**
 * Schemas of the parts of a request. `json` is a body that the handler checks itself; its schema is only for the
 * documentation.
 */
export interface Input {
  query?: z.ZodObject;
  params?: z.ZodObject;
  headers?: z.ZodObject;
  body?: z.ZodType;
  json?: z.ZodType;
}

type Parsed<I extends Input> = {
  [K in keyof I]: K extends "json" ? JsonText : I[K] extends z.ZodType ? z.infer<I[K]> : never;
};

/** The sections of the documentation. */
export type Tag =
  | "Health"
  | "API keys"
  | "OAuth clients"
  | "Servers"
  | "Limits"
  | "Audit log"
  | "Registry"
  | "Registry publishing"
  | "Registry management";

/** Descriptions of an answer's headers, for the documentation. */
export type AnswerHeaders = Readonly<Record<string, string>>;

/** A successful answer. A null schema means that it has no body. */
export interface DeclaredAnswer {
  schema: z.ZodType | null;
  description: string;
  headers?: AnswerHeaders;
}

type Statuses = Readonly<Partial<Record<200 | 201 | 202 | 304 | 503, DeclaredAnswer>>>;

/** No other answers. */
type NoOthers = { readonly [status in 200]?: never };

/** An answer with a status other than the usual one, with headers, or with JSON that is already text. */
export class RouteAnswer<Status extends number = number> {
  readonly status: Status;
  readonly body: object | string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: Status, body: object | string | null, headers: Readonly<Record<string, string>>) {
    this.status = status;
    this.body = body;
    this.headers = headers;
  }
}

/** `body`: an object, its JSON as text, or null for no body. */
export const answerWith = <const Status extends number>(
  status: Status,
  body: object | string | null,
  headers: Readonly<Record<string, string>> = {},
) => new RouteAnswer(status, body, headers);

interface RouteSpec<
  Deps,
  Known extends Callers,
  I extends Input,
  Out extends z.ZodType,
  Usual extends 200 | 201,
  Others extends Statuses,
  W extends Who,
> {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** OpenAPI form: `/things/{id}`. */
  path: `/${string}`;
  /** The `operationId` in the OpenAPI document. Generated clients use it as a name, so it never changes. */
  id: string;
  tag: Tag;
  summary: string;
  description?: string;
  who: W;
  in?: I;
  bodyRules?: JsonRules;
  /** The schema of the body of the usual answer. */
  out: Out;
  /** The status of the usual answer. Default: 200. */
  status?: Usual;
  /** Headers of the usual answer, for the documentation. */
  headers?: AnswerHeaders;
  /** Other successful answers. */
  others?: Others;
  /** Error codes in addition to those that follow from `who` and `in`. */
  refusals?: readonly ErrorCode[];
  /** Refuses before the request is read, for limits on unauthenticated callers. */
  before?: (work: { deps: Deps; from: RequestOrigin }) => void;
  handle: (work: {
    deps: Deps;
    caller: CallerOf<Known, W>;
    input: Parsed<I>;
    from: RequestOrigin;
    request: Request;
  }) => Handled<Out, Usual | (keyof Others & number)>;
}

type Handled<Out extends z.ZodType, Status extends number> =
  | z.infer<Out>
  | RouteAnswer<Status>
  | Promise<z.infer<Out> | RouteAnswer<Status>>;

/** The parts of a route that the documentation and the tests use. */
export interface Declaration {
  method: "get" | "post" | "put" | "patch" | "delete";
  path: string;
  id: string;
  tag: Tag;
  summary: string;
  description?: string | undefined;
  who: Who;
  in: Input;
  bodyRules: JsonRules;
  answers: ReadonlyMap<number, DeclaredAnswer>;
  refusals: readonly ErrorCode[];
}

/** A declared route. Its validation, documentation and access rules follow from the declaration. */
export interface Route<Deps, Caller> extends Declaration {
  before: (c: Context<HttpEnv>, deps: Deps) => void;
  answer: (c: Context<HttpEnv>, deps: Deps, caller: Caller | undefined) => Promise<Response>;
}

/**
 * Creates the function `route` for one plane's dependencies and callers. It declares a JSON route: input that does not
 * match its schemas is a 400 that names every fault, and the output is typed by its schema.
 */
export function routesFor<Deps, Known extends Callers>() {
  return function route<
    const I extends Input,
    Out extends z.ZodType,
    const W extends Who,
    const Usual extends 200 | 201 = 200,
    const Others extends Statuses = NoOthers,
  >(spec: RouteSpec<Deps, Known, I, Out, Usual, Others, W>): Route<Deps, Known[keyof Known]> {
    const input = spec.in ?? {};
    const rules = spec.bodyRules ?? BODY_RULES;
    const usual = spec.status ?? 200;
    const { method, path, id, tag, summary, description, who } = spec;
    return {
      method,
      path,
      id,
      tag,
      summary,
      description,
      who,
      in: input,
      bodyRules: rules,
      answers: answersOf(usual, { schema: spec.out, description: "OK", headers: spec.headers ?? {} }, spec.others),
      refusals: spec.refusals ?? [],
      before: (c, deps) => spec.before?.({ deps, from: originOf(c.get("requestId"), c.req.raw.headers) }),
      answer: async (c, deps, caller) => {
        const parsed = (await readInput(c, input, rules)) as Parsed<I>;
        const output = await spec.handle({
          deps,
          caller: caller as CallerOf<Known, W>,
          input: parsed,
          from: originOf(c.get("requestId"), c.req.raw.headers),
          request: c.req.raw,
        });
        return output instanceof RouteAnswer ? respond(output) : respond(answerWith(usual, output as object));
      },
    };
  };
}

function answersOf(usual: number, first: DeclaredAnswer, others: Statuses = {}): Map<number, DeclaredAnswer> {
  return new Map([
    [usual, first],
    ...Object.entries(others).map(([status, declared]) => [Number(status), declared] as const),
  ]);
}

function respond({ status, body, headers }: RouteAnswer): Response {
  const type = body === null ? {} : { "content-type": "application/json" };
  return new Response(body === null || typeof body === "string" ? body : JSON.stringify(body), {
    status,
    headers: { "cache-control": "no-store", ...type, ...headers },
  });
}
