import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

const PLACES = [
  process.env["CHROMIUM_PATH"],
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/** Starts the Chromium that is installed on this machine; says what to do when there is none. */
export async function startChromium(): Promise<Browser> {
  const executablePath = PLACES.find((path) => path !== undefined && path !== "" && existsSync(path));
  if (executablePath === undefined) {
    throw new Error(
      "No Chromium found. Install one (Debian: apt-get install chromium) or set CHROMIUM_PATH to its program.",
    );
  }
  const quiet = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
  ];
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu", ...quiet] });
}
