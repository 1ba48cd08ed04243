// `echo` and nothing else: what all others are compared with.
import { echo } from "./echo.ts";

export default { fetch: (request: Request) => echo.fetch(request) };
