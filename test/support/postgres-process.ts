// Runs the Postgres of a test run in a process of its own, which stops it also when the run is killed.
import { startEmbeddedPostgres } from "../../dev/postgres.ts";

const postgres = await startEmbeddedPostgres({ dataDir: process.argv[2] ?? "" });
const end = () => void postgres.stop().then(() => process.exit(0));
process.once("message", end);
process.once("disconnect", end);
process.send?.(postgres.url);
