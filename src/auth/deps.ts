import type { Config } from "../platform/config.ts";
import type { Db } from "../platform/db.ts";
import type { Log } from "../platform/log.ts";
import type { SendMail } from "./mail.ts";
import type { SigningKeys } from "./signing-keys.ts";
import type { redisStorage } from "./storage.ts";

/** What the authentication framework runs on. Functions of other capabilities come in as arguments. */
export interface AuthDeps {
  config: Config;
  db: Db;
  storage: ReturnType<typeof redisStorage>;
  signingKeys: SigningKeys;
  sendMail: SendMail;
  log: Log;
  /** Work that goes on after the answer. */
  background: (work: Promise<unknown>) => void;
  generateApiKey: () => string;
  keyStartLength: number;
  defaultKeyPermissions: Record<string, string[]>;
  /** Called with a key's hash after a committed change, before the answer that confirms it (R9). */
  onKeyChanged: (hash: string) => Promise<void>;
  scopes: readonly string[];
}
