import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "tests",
  fullyParallel: true,
  workers: 2,
  reporter: "list",
  use: {
    // Your page's language and time zone, so that screenshots are equal on every machine.
    locale: "en-US",
    timezoneId: "Asia/Shanghai",
    // An installed browser; without CHROMIUM the one of `npx playwright install chromium`.
    launchOptions: { executablePath: process.env.CHROMIUM, args: process.env.CHROMIUM ? ["--no-sandbox"] : [] },
  },
  // Screenshots of one machine: other fonts draw other pixels.
  snapshotPathTemplate: "screenshots/{arg}{ext}",
});
