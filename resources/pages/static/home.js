"use strict";

const WORDS = {
  copyToken: ["Token", "令牌"],
  copyTokenOf: ["Copy token", "复制令牌"],
  copyCurl: ["curl", "curl"],
  copyCurlOf: ["Copy curl", "复制 curl"],
  copyConsole: ["Console", "控制台"],
  copyConsoleOf: ["Copy a line for the console of your page that logs in as", "复制登录语句，粘贴到页面的控制台"],
  openDocs: ["Docs", "文档"],
  openDocsOf: ["Docs, logged in as", "打开文档并登录"],
  copyLink: ["Copy link", "复制链接"],
  copied: ["Copied", "已复制"],
  copyThis: ["This page may not copy; here it is, selected:", "此页面无法自动复制，请手动复制："],
  changed: ["password changed", "密码已修改"],
  none: ["None yet", "暂无"],
  dead: ["used or too old", "已使用或已过期"],
  open: ["Open", "打开"],
  remove: ["Remove", "移除"],
  everybody: ["everybody", "所有人"],
  used: ["used", "已用"],
  cut: ["cut", "截断"],
  frozen: ["stands", "静止"],
  shifted: ["set, running", "已调，在走"],
  machine: ["machine's", "本机"],
  connected: ["connected", "已连接"],
  lost: ["no answer", "无响应"],
  status: ["Status", "状态"],
  time: ["Time", "时间"],
  took: ["Took", "用时"],
  database: ["database", "数据库"],
  route: ["Route", "路由"],
  view: ["View", "视图"],
  permission: ["Permission", "权限"],
  public: ["public", "公开"],
  login: ["any login", "登录即可"],
  or: [" or ", " 或 "],
  user: ["User", "用户"],
  nobody: ["nobody logged in", "未登录"],
  ignoredFields: ["Ignored fields", "被忽略的字段"],
  ignoredParams: ["Ignored parameters", "被忽略的参数"],
  rows: ["rows", "行数"],
  notShown: ["not shown, as they are more:", "条过多，未显示："],
};
let language = localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");

const $ = (id) => document.getElementById(id);
const word = (key) => WORDS[key][language === "zh" ? 1 : 0];
const clock = (time) => new Date(time).toLocaleTimeString("en-GB");
/** Date and time as people of the language write it, in the zone of this browser. */
const dated = (time) => new Date(time).toLocaleString(language, { dateStyle: "medium", timeStyle: "medium" });

/** What comes from the server is only ever set as text: a name is never markup. */
function element(tag, text, ...children) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.append(...children);
  return made;
}

function classed(name, made) {
  made.className = name;
  return made;
}

/** Tell what happened. The time makes a second time differ, for eyes and for screen readers. */
function say(text) {
  $("said").textContent = `${clock(Date.now())} ${text}`;
  $("copied").hidden = true;
}

function on(node, event, action) {
  node.addEventListener(event, (happened) => action(happened).catch((error) => say(error.message)));
}

/** The envelope of a call; an error of it is thrown with what is wrong with each field. */
async function call(method, path, body) {
  const headers = { "Accept-Language": language, "Content-Type": "application/json" };
  const json = await (await fetch(path, { method, headers, body: body && JSON.stringify(body) })).json();
  if (json.success) return json;
  const details = json.error.details.map(({ field, message }) => `${field} ${message}`.trim());
  throw new Error([json.message, ...details].join(" · "));
}

const items = async (name, size) => (await call("GET", `/api/demo/${name}?pageSize=${size}`)).data.items;
const tokensOf = async (email) => (await call("POST", "/api/demo/login", { email })).data;

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    say(word("copied"));
  } catch {
    // Neither localhost nor TLS, or forbidden: it stands selected, for Ctrl+C.
    say(word("copyThis"));
    $("copied").value = text;
    $("copied").hidden = false;
    $("copied").focus();
    $("copied").select();
  }
}

/** A button of a row. `about` is the row; screen readers hear it with the label. */
function button(label, spoken, about, action) {
  const made = element("button", word(label));
  made.type = "button";
  made.dataset.key = `${spoken} ${about}`;
  made.setAttribute("aria-label", `${word(spoken)}: ${about}`);
  on(made, "click", action);
  return made;
}

const standing = {};

/** Show a list. If it is as it was, nothing is touched; else the focus stays where it was, or on the list. */
function fill(id, rows, make) {
  const [list, now] = [$(id), language + JSON.stringify(rows)];
  if (standing[id] === now) return;
  standing[id] = now;
  const focused = list.contains(document.activeElement) && document.activeElement.dataset.key;
  list.replaceChildren(...(rows.length ? rows.map(make) : [nothing(list.tagName)]));
  if (!focused) return;
  const same = [...list.querySelectorAll("[data-key]")].find((node) => node.dataset.key === focused);
  (same ?? list.closest(".scroll")).focus({ preventScroll: true });
}

function nothing(tag) {
  if (tag !== "TBODY") return classed("none", element("li", word("none")));
  const cell = element("td", word("none"));
  cell.colSpan = 6;
  return element("tr", "", cell);
}

// --- Accounts --------------------------------------------------------------------------------------------------------
async function showAccounts() {
  const { data } = await call("GET", "/api/demo/accounts");
  fill("accounts", data, accountRow);
  fill("whose", ["", ...data.map(({ email }) => email)], (email) => {
    const option = element("option", email || word("everybody"));
    option.value = email;
    return option;
  });
}

function accountRow({ email, name, roleLabel, password }) {
  const who = element("div", "", element("strong", name), " ", classed("badge", element("span", roleLabel)));
  const person = element("div", "", who, element("code", `${email} · ${password ?? word("changed")}`));
  const curl = (token) => `curl -H "Authorization: Bearer ${token}" "${location.origin}/api/users/me"`;
  const line = ({ accessToken, refreshToken }) =>
    `Object.assign(localStorage, ${JSON.stringify({ accessToken, refreshToken })})`;
  const buttons = [
    button("copyToken", "copyTokenOf", email, async () => copy((await tokensOf(email)).accessToken)),
    button("copyCurl", "copyCurlOf", email, async () => copy(curl((await tokensOf(email)).accessToken))),
    button("copyConsole", "copyConsoleOf", email, async () => copy(line(await tokensOf(email)))),
  ];
  if (document.querySelector("a[href='/docs']")) {
    buttons.push(button("openDocs", "openDocsOf", email, () => openDocs(email)));
  }
  return element("li", "", person, classed("buttons", element("div", "", ...buttons)));
}

/** Open Swagger UI, which finds who is logged in under this key (`persistAuthorization`). */
async function openDocs(email) {
  const { accessToken: value } = await tokensOf(email);
  const schema = { type: "http", scheme: "bearer", bearerFormat: "JWT" };
  localStorage.setItem("authorized", JSON.stringify({ bearer: { name: "bearer", schema, value } }));
  location.assign("/docs");
}

// --- State of the server ---------------------------------------------------------------------------------------------
async function showSet() {
  const { data } = await call("GET", "/api/demo/set");
  for (const node of $("sets").children) node.setAttribute("aria-pressed", node.value === data.set);
}

async function showClock() {
  const { now, set, frozen } = (await call("GET", "/api/demo/clock")).data;
  $("now").textContent = dated(now);
  $("now").dateTime = now;
  const field = $("set-clock").elements.now;
  field.value ||= new Date(new Date(now) - new Date(now).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  $("clock").textContent = word(frozen ? "frozen" : set ? "shifted" : "machine");
  $("clock").classList.toggle("warn", set);
}

async function setClock(event) {
  event.preventDefault();
  // The time of the field is meant in the zone of this browser, as the times on this page are.
  const now = new Date($("set-clock").elements.now.value).toISOString();
  await control("POST", "/api/demo/clock", { now, frozen: event.submitter.value === "true" });
}

/** Use a control, show what it changed, and say what the server says of it. */
async function control(method, path, body) {
  const { message } = await call(method, path, body);
  await show();
  say(message);
}

// --- Rules -----------------------------------------------------------------------------------------------------------
async function showRules() {
  fill("rules", await items("rules", 1000), ruleRow);
}

function ruleRow({ id, method, path, email, times, rate, delay, status, body, used }) {
  const effects = [delay !== null && `${delay} ms`, status, body && word("cut")].filter(Boolean);
  const conditions = [rate < 1 && `${+(rate * 100).toFixed(2)} %`, email].filter(Boolean);
  const count = `${word("used")} ${used}${times ? ` / ${times}` : ""}`;
  const rule = element("div", "", element("code", [method, path].filter(Boolean).join(" ")), " ");
  rule.append(...effects.flatMap((text) => [classed("badge warn", element("span", text)), " "]));
  rule.append(classed("hint", element("span", [...conditions, count].join(" · "))));
  const remove = () => control("DELETE", `/api/demo/rules/${id}`);
  return element("li", "", rule, button("remove", "remove", `${path} (${id})`, remove));
}

async function addRule(event) {
  event.preventDefault();
  const filled = [...new FormData($("rule"))].filter(([, value]) => value !== "");
  const rule = Object.fromEntries(filled);
  for (const name of ["status", "times", "rate"]) if (name in rule) rule[name] = Number(rule[name]);
  if ("rate" in rule) rule.rate /= 100;
  await control("POST", "/api/demo/rules", rule);
}

/** Write a rule into the form, for a look at it before it is added. */
function suggest(rule) {
  $("rule").reset();
  for (const [name, value] of Object.entries(rule)) {
    const field = $("rule").elements[name];
    if (field.type === "checkbox") field.checked = true;
    else field.value = value;
  }
}

// --- Requests --------------------------------------------------------------------------------------------------------
let requests = [];

async function showRequests() {
  requests = await items("requests", 200);
  showFiltered();
}

/** Those in which every word of the filter stands: `POST 503`, `tasks`, `ignored`. */
function showFiltered() {
  const words = $("filter").value.toLowerCase().split(" ");
  const found = requests.filter((asked) => {
    const text = `${asked.method} ${asked.path} ${asked.status} ${ignored(asked)}`.toLowerCase();
    const problem = asked.status >= 400 || ignored(asked);
    return words.every((each) => text.includes(each)) && (problem || !$("problems").checked);
  });
  $("counted").textContent = `${found.length} / ${requests.length}`;
  fill("requests", found, requestRow);
}

const ignored = ({ ignoredFields, ignoredParams }) => [...ignoredFields, ...ignoredParams].join(", ");
const badge = (status) => classed(`badge s${String(status)[0]}`, element("span", status));

function requestRow(asked) {
  const { time, method, path, status, ms, queries, requestId } = asked;
  const link = element("a", "", element("b", method), ` ${path}`);
  link.href = `#request=${requestId}`;
  link.dataset.key = requestId;
  const [when, left, sql, took] = [clock(time), ignored(asked), queries, ms].map((text) => element("td", text));
  when.className = left.className = "roomy";
  sql.className = "roomy number";
  took.className = "number";
  return element("tr", "", when, element("td", "", badge(status)), element("td", "", link), left, sql, took);
}

/** The page of the request that the address names. */
async function openRequest() {
  const id = location.hash.match(/^#request=([\w.-]+)$/)?.[1];
  if (!id) return $("request").close();
  const { data } = await call("GET", `/api/demo/requests/${id}`);
  const { permissions, route, statements } = data;
  const needs = permissions === null ? word("public") : permissions.join(word("or")) || word("login");
  const facts = {
    status: badge(data.status),
    time: dated(data.time),
    took: `${data.appMs} ms, ${word("database")} ${data.databaseMs} ms`,
    route: route ?? "–",
    view: data.view ?? "–",
    permission: needs,
    user: data.userId ?? word("nobody"),
    ignoredFields: data.ignoredFields.join(", ") || "–",
    ignoredParams: data.ignoredParams.join(", ") || "–",
  };
  $("request-name").textContent = `${data.method} ${data.path}`;
  const lines = Object.entries(facts).flatMap(([key, value]) => [element("dt", word(key)), element("dd", "", value)]);
  $("facts").replaceChildren(...lines, element("dt", "X-Request-ID"), element("dd", data.requestId));
  const missing = data.queries - statements.length;
  $("statements").replaceChildren(
    ...statements.map(statementRow),
    ...(missing ? [element("li", `${word("notShown")} ${missing}`)] : []),
    ...(data.queries ? [] : [classed("none", element("li", word("none")))]),
  );
  $("request-rule").onclick = () => {
    $("request").close();
    suggest({ method: data.method, path: route ?? data.path.split("?")[0] });
    $("rule").elements.delay.focus();
  };
  if (!$("request").open) $("request").showModal();
}

function statementRow({ sql, values, rows, ms }) {
  const about = `${ms} ms${rows === null ? "" : ` · ${word("rows")} ${rows}`}`;
  const made = element("li", "", element("pre", sql), classed("hint", element("p", about)));
  if (values.length) made.append(element("code", values.map((value) => value ?? "NULL").join(" · ")));
  return made;
}

// --- Mails -----------------------------------------------------------------------------------------------------------
async function showMails() {
  fill("mails", await items("mails", 20), ({ id, to, subject, createdAt, link }) => {
    const about = classed("hint", element("div", `${to} · ${dated(createdAt)}`));
    const mail = element("div", "", element("strong", subject), about);
    if (!link) return element("li", "", mail, classed("hint", element("span", word("dead"))));
    const open = element("a", word("open"));
    open.href = open.dataset.key = link;
    const second = button("copyLink", "copyLink", `${to} (${id})`, () => copy(link));
    return element("li", "", mail, classed("buttons", element("div", "", open, second)));
  });
}

// --- The page --------------------------------------------------------------------------------------------------------
async function show() {
  await Promise.all([showSet(), showClock(), showAccounts(), showRules(), showRequests(), showMails()]);
}

/** Show everything every two seconds, unless nobody sees it, and say whether the server answers. */
async function follow() {
  if (!document.hidden && $("follow").checked) {
    const error = await show().catch((thrown) => thrown);
    $("connection").textContent = word(error ? "lost" : "connected");
    $("connection").className = `badge ${error ? "s5" : "s2"}`;
    $("connection").title = error?.message ?? "";
  }
  setTimeout(follow, 2000);
}

/** Write the page in the language: English stands in it, Chinese in `data-zh`. */
function speak() {
  document.documentElement.lang = language;
  $("language").textContent = language === "zh" ? "English" : "中文";
  $("language").lang = language === "zh" ? "en" : "zh";
  for (const node of document.querySelectorAll("[data-zh]")) {
    node.dataset.en ??= node.textContent;
    node.textContent = node.dataset[language];
  }
}

// Without the demo controls there is only the language to choose.
const controls = $("accounts") !== null;

on($("language"), "click", async () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("language", language);
  speak();
  if (controls) await show();
});
speak();
if (controls) {
  on($("reset"), "click", () => control("POST", "/api/demo/reset"));
  for (const node of $("sets").children) {
    on(node, "click", () => control("POST", "/api/demo/reset", { set: node.value }));
  }
  on($("expire"), "click", () => control("POST", "/api/demo/expire-tokens"));
  on($("set-clock"), "submit", setClock);
  on($("machine-clock"), "click", () => control("DELETE", "/api/demo/clock"));
  on($("rule"), "submit", addRule);
  on($("rules-clear"), "click", () => control("DELETE", "/api/demo/rules"));
  $("example").addEventListener("change", ({ target: { value } }) => {
    suggest(JSON.parse(value));
    $("example").value = value;
  });
  for (const name of ["filter", "problems"]) $(name).addEventListener("input", showFiltered);
  for (const node of document.querySelectorAll(".copy")) {
    on(node, "click", () => copy(node.nextElementSibling.textContent));
  }
  $("request-close").addEventListener("click", () => $("request").close());
  $("request").addEventListener("close", () => history.replaceState(null, "", location.pathname));
  on(window, "hashchange", openRequest);
  follow();
  if (location.hash) openRequest().catch((error) => say(error.message));
}
