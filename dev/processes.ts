import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

/** The command line of a process, arguments separated by spaces; undefined when there is no such process. */
export function commandOf(pid: number): string | undefined {
  if (process.platform !== "linux") return ps(pid, "command=");
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
  } catch {
    return undefined;
  }
}

/** The id of the parent of a process; undefined when there is no such process. Slim Linux images have no `ps`. */
export function parentOf(pid: number): number | undefined {
  if (process.platform !== "linux") return Number(ps(pid, "ppid=")) || undefined;
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}

function ps(pid: number, column: string): string | undefined {
  try {
    return execFileSync("ps", ["-p", String(pid), "-o", column], { stdio: ["ignore", "pipe", "ignore"] }).toString();
  } catch {
    return undefined;
  }
}
