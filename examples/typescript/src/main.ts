/** The page: a login, the tasks, a new task whose errors stand beside their fields, and an upload. */
import { api, logIn, type Schemas } from "./api.js";
import { upload } from "./upload.js";

function element<T extends Element>(selector: string, kind: new () => T): T {
  const found = document.querySelector(selector);
  if (!(found instanceof kind)) throw new Error(`no ${selector}`);
  return found;
}

function onSubmit(selector: string, act: (values: Record<string, string>, form: HTMLFormElement) => Promise<void>) {
  const form = element(selector, HTMLFormElement);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const values: Record<string, string> = {};
    for (const [name, value] of new FormData(form)) if (typeof value === "string") values[name] = value;
    void act(values, form);
  });
}

/** Write the message of each field into its `<output for="…">`, and that of the whole into the first one. */
function showErrors(form: HTMLFormElement, refused?: Pick<Schemas["Error"], "error" | "message">) {
  for (const output of form.querySelectorAll("output")) {
    const detail = refused?.error.details.find((each) => each.field === output.htmlFor.value);
    output.textContent = output.htmlFor.length ? (detail?.message ?? "") : (refused?.message ?? "");
  }
}

async function showTasks() {
  const { data } = await api.GET("/api/tasks", {
    params: { query: { pageSize: 5, sort: "-createdAt", status: ["pending", "in_progress"] } },
  });
  const lines = data?.data.items.map((task) => {
    const line = document.createElement("li");
    line.textContent = `${task.title} (${task.assignee?.name ?? "nobody"}, ${task.status})`;
    return line;
  });
  element("#tasks", HTMLUListElement).replaceChildren(...(lines ?? []));
  element("#total", HTMLElement).textContent = String(data?.data.total ?? "");
}

onSubmit("#login", async ({ email = "", password = "" }, form) => {
  const error = await logIn(email, password);
  showErrors(form, error);
  if (!error) await showTasks();
});

onSubmit("#task", async ({ title = "", progress = "" }, form) => {
  const { error } = await api.POST("/api/tasks", { body: { title, progress: Number(progress) } });
  showErrors(form, error);
  if (!error) await showTasks();
});

element("#expire", HTMLButtonElement).addEventListener("click", async () => {
  await api.POST("/api/demo/expire-tokens");
  const replies = await Promise.all([
    api.GET("/api/users/me"),
    api.GET("/api/dashboard/stats"),
    api.GET("/api/documents/{document_id}", { params: { path: { document_id: 1 } } }),
  ]);
  element("#renewed", HTMLElement).textContent = replies.map(({ response }) => response.status).join(" ");
});

element("#file", HTMLInputElement).addEventListener("change", async (event) => {
  const file = event.target instanceof HTMLInputElement && event.target.files?.[0];
  if (!file) return;
  const bar = element("progress", HTMLProgressElement);
  const uploaded = await upload(file, (share) => (bar.value = share));
  element("#uploaded", HTMLAnchorElement).textContent = `${uploaded.name}, ${uploaded.size} bytes`;
  element("#uploaded", HTMLAnchorElement).href = uploaded.url;
});
