import packageJson from "../../package.json" with { type: "json" };

export const VERSION: string = packageJson.version;

/** How many migrations this code expects to find applied; a test compares it with `migrations/`. */
export const SCHEMA_VERSION = 3;
