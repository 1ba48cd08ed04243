import { randomBytes } from "node:crypto";
import { createRequestStateCodec } from "@modelcontextprotocol/server";

/** How far a call that asks for input has come. It travels through the client, signed, between two rounds. */
export interface RequestState {
  /** The tool that issued it: a state of one tool must not be accepted by another. */
  tool: string;
  /** What earlier rounds have answered. */
  answers: Record<string, string>;
}

/** Signs and verifies request states with a key that lives as long as this process. */
export const requestStateCodec = createRequestStateCodec<RequestState>({ key: randomBytes(32) });
