// The button "receive notices in this browser": asks for permission, subscribes, tells our server.
"use strict";

const place = document.querySelector("[data-push]");

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (character) => character.charCodeAt(0));

const send = async (path, body) => {
  const answer = await fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Form-Token": place.dataset.formToken },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || String(answer.status));
};

const button = place && place.querySelector("button");
const state = place && place.querySelector("[role=status]");

const show = (name, detail) => {
  state.textContent = detail || place.dataset[name];
  button.textContent = name === "on" ? place.dataset.turnOff : place.dataset.turnOn;
  button.hidden = name === "unsupported" || name === "denied";
  button.disabled = false;
};

const subscription = async () => {
  const worker = await navigator.serviceWorker.register("/push-worker.js", { scope: "/" });
  await navigator.serviceWorker.ready;
  return { worker, now: await worker.pushManager.getSubscription() };
};

const turn = async () => {
  button.disabled = true;
  try {
    const { worker, now } = await subscription();
    if (now) {
      await send("/api/push/unsubscription", { endpoint: now.endpoint });
      await now.unsubscribe();
      show("off");
      return;
    }
    if (Notification.permission !== "granted" && (await Notification.requestPermission()) !== "granted") {
      show("denied");
      return;
    }
    const { key } = await (await fetch("/api/push/key")).json();
    const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
    await send("/api/push/subscription", made.toJSON());
    show("on");
  } catch (error) {
    show("failed", `${place.dataset.failed} (${error.message})`);
  }
};

const begin = async () => {
  place.hidden = false;
  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) {
    show("unsupported");
    return;
  }
  if (Notification.permission === "denied") {
    show("denied");
    return;
  }
  button.addEventListener("click", turn);
  // The worker is installed on the first click; whoever only looks at the page gets none.
  const worker = await navigator.serviceWorker.getRegistration("/");
  show(worker && (await worker.pushManager.getSubscription()) ? "on" : "off");
};

if (place) begin().catch((error) => show("failed", `${place.dataset.failed} (${error.message})`));
