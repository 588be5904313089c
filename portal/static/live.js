// Keeps an open page fresh: new messages appear, and what has changed is fetched again. Without it the page is a plain page.

const page = document.body.dataset;
const LOST_AFTER_MS = 40000, AGES_EVERY_MS = 60000, TOASTS = 3;
let state = page.liveState, source = null, heard = Date.now(), isOver = false;

const element = (name, className, text) => Object.assign(document.createElement(name), { className, textContent: text ?? "" });

/* What has changed: ask for this page again and put the fresh parts in place; never under the fingers of somebody who
   is writing. The request says that nobody pressed anything, so it does not count as use of the session. */
let isBusy = false, isWanted = false;
async function refresh() {
  if (isBusy) { isWanted = true; return; }
  isBusy = true;
  try {
    const answer = await fetch(location.href, { headers: { "X-Live": "1" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") return over();
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    keepFormNumber(fresh);
    for (const place of document.querySelectorAll("[data-live]")) replace(place, fresh.querySelector(`[data-live="${place.dataset.live}"]`));
    state = fresh.body.dataset.liveState;
  } catch {
    // Offline: the stream comes back by itself and asks again.
  } finally {
    isBusy = false;
    if (isWanted) { isWanted = false; refresh(); }
  }
}

/* The forms of this page keep their number: a page that was refreshed between two clicks still knows them as one. */
function keepFormNumber(fresh) {
  const number = document.querySelector("input[name=form_id]")?.value;
  if (number) for (const field of fresh.querySelectorAll("input[name=form_id]")) field.setAttribute("value", number);
}

function replace(place, other) {
  if (!other || place.innerHTML === other.innerHTML) return;
  const active = place.contains(document.activeElement) ? document.activeElement : null;
  const typed = (field) => field.value !== field.defaultValue;
  if (active?.matches("input, select, textarea") || [...place.querySelectorAll("input, textarea")].some(typed)) return;
  const number = active && [...place.querySelectorAll("a, button, summary")].indexOf(active);
  const opened = [...place.querySelectorAll("details[open][id]")].map((details) => details.id);
  place.replaceChildren(...other.childNodes);
  for (const id of opened) document.getElementById(id)?.setAttribute("open", "");
  if (active) place.querySelectorAll("a, button, summary")[number]?.focus({ preventScroll: true });
}

/* A new message: polite in its corner, at once for the two upper levels. */
function toast(message) {
  const place = document.getElementById(message.level >= 3 ? "toasts-now" : "toasts");
  const box = element("div", `toast edge-${message.level}`);
  const link = element("a", "", message.subject);
  link.href = `/hop-thu/${message.inbox_id}/mo`;
  const close = element("button", "toast-close", "×");
  close.setAttribute("aria-label", page.liveClose);
  close.addEventListener("click", () => box.remove());
  box.append(element("b", "", page.liveNew), link, close);
  place.append(box);
  while (place.children.length > TOASTS) place.firstChild.remove();
}

function count(unread) {
  document.title = document.title.replace(/^\(\d+\+?\) /, "");
  if (unread) document.title = `(${unread > 99 ? "99+" : unread}) ${document.title}`;
  const link = document.querySelector(".main-nav a[href='/hop-thu']");
  let badge = link.querySelector(".count");
  if (!unread) { badge?.remove(); return; }
  if (!badge) link.append(badge = element("b", "count"));
  badge.textContent = unread > 99 ? "99+" : unread;
  badge.setAttribute("aria-label", page.liveUnread.replace("{n}", unread));
}

function say(sentence) {
  const place = document.getElementById("live-state");
  place.hidden = !sentence;
  place.querySelector("span").textContent = sentence;
  place.querySelector("a").hidden = !isOver;
}

function over() {
  isOver = true;
  source?.close();
  say(page.liveOver);
}

function listen() {
  if (isOver) return;
  source?.close();
  heard = Date.now();
  source = new EventSource(`/api/live?after=${page.liveAfter}`);
  const on = (name, act) => source.addEventListener(name, (event) => {
    heard = Date.now();
    say("");
    act(JSON.parse(event.data));
  });
  on("beat", ({ unread }) => count(unread));
  // Not everybody at the same moment.
  on("changed", (now) => { if (now.state !== state) setTimeout(refresh, Math.random() * 600); });
  on("message", (message) => {
    page.liveAfter = Math.max(page.liveAfter, message.inbox_id);
    count(message.unread);
    toast(message);
    refresh();
  });
  on("bye", ({ why }) => {
    if (why === "session") over();
    else if (why === "replaced") { source.close(); source = null; }
  });
  // A refusal ends an EventSource for good: see whether the session is over, otherwise try again.
  source.addEventListener("error", () => {
    if (source?.readyState !== EventSource.CLOSED) return;
    refresh();
    setTimeout(listen, 15000);
  });
}

if (window.EventSource && page.liveState) {
  listen();
  count(Number(page.liveCount));
  setInterval(() => {
    if (!isOver && source && Date.now() - heard > LOST_AFTER_MS) say(page.liveLost);
    if (!document.hidden && !isOver && Date.now() - heard < LOST_AFTER_MS) refresh();
  }, AGES_EVERY_MS / 2);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => event.persisted && listen());
  document.addEventListener("visibilitychange", () => { if (!document.hidden && !source) { listen(); refresh(); } });
}
