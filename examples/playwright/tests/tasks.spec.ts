import { expect, test } from "../fixtures";

/** Stands for your page: it lists the first tasks, or says why it cannot. */
const PAGE = `<!doctype html><meta charset="utf-8"><body style="font: 16px/1.5 sans-serif"><h1>Tasks</h1><ul></ul><p></p>
<button>Load</button><script>
  document.querySelector("button").onclick = async () => {
    const [list, told] = [document.querySelector("ul"), document.querySelector("p")];
    told.textContent = "Loading…";
    try {
      const reply = await fetch("/api/tasks?pageSize=5", { headers: { Authorization: "Bearer " + window.token, "Accept-Language": "en" } });
      const { data, message } = await reply.json();
      told.textContent = reply.ok ? data.total + " tasks on " + data.items[0].createdAt : message;
      list.innerHTML = reply.ok ? data.items.map((task) => "<li>" + task.title).join("") : "";
    } catch {
      told.textContent = "The connection broke off";
    }
  };
</script>`;

for (let number = 1; number <= 16; number++) {
  test(`test ${number} sees the seeded rows and its own`, async ({ request, demo }) => {
    const headers = { Authorization: `Bearer ${await demo.logIn()}` };
    const before = await (await request.get("/api/tasks?pageSize=100", { headers })).json();
    expect(before.data.total).toBe(20);
    await request.post("/api/tasks", { headers, data: { title: `of test ${number}` } });
    const after = await (await request.get("/api/tasks?search=of test", { headers })).json();
    expect(after.data.items.map((task: { title: string }) => task.title)).toEqual([`of test ${number}`]);
  });
}

test.describe("the page", () => {
  test.beforeEach(async ({ page, demo }) => {
    await page.route("**/app", (route) => route.fulfill({ contentType: "text/html; charset=utf-8", body: PAGE }));
    await page.goto("/app");
    await page.evaluate((token) => Object.assign(window, { token }), await demo.logIn());
  });

  test("an error is shown, and the next attempt works", async ({ page, demo }) => {
    await demo.next({ path: "/api/tasks", method: "GET", status: 503 });
    await page.getByText("Load").click();
    await expect(page.locator("p")).toHaveText("The demo controls made this error");
    await page.getByText("Load").click();
    await expect(page.locator("li")).toHaveCount(5);
  });

  test("a reply that breaks off is told", async ({ page, demo }) => {
    await demo.next({ path: "/api/tasks", body: "cut" });
    await page.getByText("Load").click();
    await expect(page.locator("p")).toHaveText("The connection broke off");
  });

  test("something is said while a reply takes long", async ({ page, demo }) => {
    await demo.next({ path: "/api/tasks", delay: 1000 });
    await page.getByText("Load").click();
    await expect(page.locator("p")).toHaveText("Loading…");
    await expect(page.locator("li")).toHaveCount(5);
  });

  test("a day that stays looks the same whenever it is tested", async ({ page, demo }) => {
    await demo.freeze("2026-03-01T09:30:00+08:00");
    await page.clock.setFixedTime("2026-03-01T09:30:00+08:00");
    await page.evaluate((token) => Object.assign(window, { token }), await demo.logIn());
    await page.getByText("Load").click();
    await expect(page.locator("p")).toContainText("20 tasks on 2026-02");
    await expect(page).toHaveScreenshot("tasks.png");
  });
});
