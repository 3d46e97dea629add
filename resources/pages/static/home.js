"use strict";

const WORDS = {
  copyToken: ["Copy token", "复制令牌"],
  copyCurl: ["Copy curl", "复制 curl"],
  copied: ["Copied", "已复制"],
  copyThis: ["This page may not copy; here it is, selected:", "此页面无法自动复制，请手动复制："],
  changed: ["password changed", "密码已修改"],
  none: ["None yet", "暂无"],
  dead: ["used or too old", "已使用或已过期"],
  ignored: ["ignored:", "已忽略："],
};
let language = localStorage.getItem("language") || (navigator.language.startsWith("zh") ? "zh" : "en");

const $ = (id) => document.getElementById(id);
const word = (key) => WORDS[key][language === "zh" ? 1 : 0];
const clock = (time) => time.toLocaleTimeString("en-GB");

/** What comes from the server is only ever set as text: a name is never markup. */
function element(tag, text, ...children) {
  const made = document.createElement(tag);
  made.textContent = text;
  made.append(...children);
  return made;
}

/** Tell what happened. The time makes a second time differ, for eyes and for screen readers. */
function say(text) {
  $("said").textContent = `${clock(new Date())} ${text}`;
  $("copied").hidden = true;
}

function on(node, event, action) {
  node.addEventListener(event, (happened) => action(happened).catch((error) => say(error.message)));
}

async function call(method, path, { body, token } = {}) {
  const headers = { "Accept-Language": language, "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const reply = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  return { status: reply.status, json: await reply.json() };
}

/** The envelope of a call that has to succeed. */
async function done(...args) {
  const { json } = await call(...args);
  if (!json.success) throw new Error(json.message);
  return json;
}

async function tokenOf(email) {
  return (await done("POST", "/api/demo/login", { body: { email } })).accessToken;
}

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

function copyButton(label, email, textFor) {
  const made = element("button", word(label));
  made.type = "button";
  made.setAttribute("aria-label", `${word(label)}: ${email}`);
  on(made, "click", async () => copy(textFor(await tokenOf(email))));
  return made;
}

function fill(id, items, tag) {
  $(id).replaceChildren(...(items.length ? items : [element(tag, word("none"))]));
}

async function showAccounts() {
  const { data } = await done("GET", "/api/demo/accounts");
  const curl = (token) => `curl -H "Authorization: Bearer ${token}" "${location.origin}/api/users/me"`;
  const items = data.map(({ email, name, roleLabel, password }) => {
    const account = element("span", "", element("code", email), ` ${name} · ${roleLabel} · `);
    account.append(password ?? word("changed"));
    const buttons = element("span", "", copyButton("copyToken", email, (token) => token), " ");
    buttons.append(copyButton("copyCurl", email, curl));
    return element("li", "", account, buttons);
  });
  fill("accounts", items, "li");
}

async function showMails() {
  const { data } = await done("GET", "/api/demo/mails?pageSize=20");
  const items = data.items.map(({ to, subject, createdAt, link }) => {
    const shown = link ? element("a", link) : element("em", word("dead"));
    if (link) shown.href = link;
    return element("li", "", element("span", `${clock(new Date(createdAt))} ${to}: ${subject}`), shown);
  });
  fill("mails", items, "li");
}

async function showRequests() {
  const { data } = await done("GET", "/api/demo/requests?pageSize=20");
  const items = data.items.map(({ time, method, path, status, ms, ignoredFields, ignoredParams }) => {
    const ignored = [...ignoredFields, ...ignoredParams].join(", ");
    const request = element("td", "", element("code", `${method} ${path}`));
    if (ignored) request.append(" ", element("em", `${word("ignored")} ${ignored}`));
    const [when, result, took] = [clock(new Date(time)), status, ms].map((text) => element("td", text));
    return element("tr", "", when, result, request, took);
  });
  fill("requests", items, "tr");
}

async function tryOut(event) {
  event.preventDefault();
  const { delay, status } = Object.fromEntries(new FormData($("try")));
  const path = `/api/users/me?_delay=${delay || 0}${status && `&_status=${status}`}`;
  const token = await tokenOf($("accounts").querySelector("code").textContent);
  const began = performance.now();
  const reply = await call("GET", path, { token });
  const result = `${reply.status}, ${Math.round(performance.now() - began)} ms`;
  say(result);
  $("reply").hidden = false;
  $("reply").textContent = `GET ${path}\n${result}\n${JSON.stringify(reply.json, null, 2)}`;
  await showRequests();
}

async function control(path) {
  const { message } = await done("POST", path);
  await show();
  say(message);
}

async function show() {
  await Promise.all([showAccounts(), showMails(), showRequests()]);
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
  on($("reset"), "click", () => control("/api/demo/reset"));
  on($("expire"), "click", () => control("/api/demo/expire-tokens"));
  on($("try"), "submit", tryOut);
  on($("mails-refresh"), "click", showMails);
  on($("requests-refresh"), "click", showRequests);
  for (const node of document.querySelectorAll(".copy")) {
    on(node, "click", () => copy(node.nextElementSibling.textContent));
  }
  $("origin").textContent = location.origin;
  setInterval(() => $("follow").checked && showRequests().catch((error) => say(error.message)), 3000);
  show().catch((error) => say(error.message));
}
