import { everythingFactory } from "./everything.ts";
import { notesFactory } from "./notes.ts";
import { startUpstream } from "./serve.ts";

/** The demo upstreams that are running, each with the slug under which a gateway registers it. */
export interface DemoUpstreams {
  everything: { slug: "everything"; url: string };
  notes: { slug: "notes"; url: string };
  stop: () => Promise<void>;
}

/** Starts both demo upstreams; a port that is left out or 0 takes any free one. */
export async function startDemoUpstreams(ports: { everything?: number; notes?: number } = {}): Promise<DemoUpstreams> {
  const everything = await startUpstream({
    name: "everything",
    factory: everythingFactory(),
    port: ports.everything ?? 0,
  });
  try {
    const notes = await startUpstream({ name: "notes", factory: notesFactory(), port: ports.notes ?? 0 });
    return {
      everything: { slug: "everything", url: everything.url },
      notes: { slug: "notes", url: notes.url },
      stop: async () => {
        await Promise.all([everything.stop(), notes.stop()]);
      },
    };
  } catch (error) {
    await everything.stop();
    throw error;
  }
}
