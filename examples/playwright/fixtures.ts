/** A HaloLight of its own for each worker, put back before each test. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { test as base, type APIRequestContext } from "@playwright/test";

const PYTHON = process.env.PYTHON ?? "python";
const HALOLIGHT = process.env.HALOLIGHT ?? new URL("../../halolight.py", import.meta.url).pathname;

export const test = base.extend<{ demo: Demo }, { server: string }>({
  server: [
    async ({}, use) => {
      const child = spawn(PYTHON, [HALOLIGHT, "--throwaway", "--set", "en"], { stdio: ["ignore", "pipe", "inherit"] });
      let address = "";
      for await (const line of createInterface(child.stdout)) {
        address = /^HaloLight ready on (.*)/.exec(line)?.[1] ?? "";
        if (address) break;
      }
      if (!address) throw new Error("HaloLight did not start");
      await use(address);
      child.kill();
    },
    { scope: "worker" },
  ],

  baseURL: ({ server }, use) => use(server),

  // `auto`: also for a test that does not ask for it.
  demo: [
    async ({ request }, use) => {
      await request.post("/api/demo/reset");
      await request.delete("/api/demo/clock");
      await use(new Demo(request));
    },
    { auto: true },
  ],
});

/** The demo controls of a worker's server. */
class Demo {
  constructor(private request: APIRequestContext) {}

  /** Log in without a password; the access token. */
  async logIn(email = "admin@example.com"): Promise<string> {
    const reply = await this.request.post("/api/demo/login", { data: { email } });
    return (await reply.json()).accessToken;
  }

  /** What happens to the next request that matches: `{ path: "/api/tasks", status: 503 }`. */
  async next(rule: { path: string; method?: string; status?: number; delay?: number; body?: "cut" }) {
    await this.request.post("/api/demo/rules", { data: { ...rule, times: 1 } });
  }

  /** Let the server's clock stand, and date the demo rows from there. */
  async freeze(now: string) {
    await this.request.post("/api/demo/clock", { data: { now, frozen: true } });
    await this.request.post("/api/demo/reset");
  }
}

export { expect } from "@playwright/test";
