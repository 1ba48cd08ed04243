import type { PageContext } from "./deps.ts";
import { htmlPage } from "./layout.tsx";

/** The same page for things that do not exist and for things that this person may not see. */
export const notFoundPage = (c: PageContext, text: string): Response | Promise<Response> =>
  htmlPage(
    c,
    { title: "Not found", status: 404 },
    <>
      <p>{text}</p>
      <p>
        <a href="/dashboard">Go to the dashboard</a>
      </p>
    </>,
  );
