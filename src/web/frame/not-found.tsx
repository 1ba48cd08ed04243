import type { PageContext } from "./deps.ts";
import { htmlPage } from "./layout.tsx";

/** For what is not there, and for what is not this person's to see: the same page. */
export const notFoundPage = (c: PageContext, text: string): Response | Promise<Response> =>
  htmlPage(
    c,
    { title: "Not found", status: 404 },
    <>
      <p>{text}</p>
      <p>
        <a href="/dashboard">To the dashboard</a>
      </p>
    </>,
  );
