// Shows messages that arrive while no page of the portal is open. Served as /push-worker.js, scope /.
"use strict";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("push", (event) => {
  let message = {};
  try {
    message = event.data ? event.data.json() : {};
  } catch {
    message = { body: event.data.text() };
  }
  event.waitUntil(
    self.registration.showNotification(message.title || "Trung tâm điều hành thông minh tỉnh Thanh Hóa", {
      body: message.body || "",
      // One bubble per incident: a newer message replaces the older one, and sounds again.
      tag: message.tag || "ioc",
      renotify: true,
      requireInteraction: (message.level || 0) >= 3,
      lang: "vi",
      icon: "/static/star.svg",
      data: { url: message.url || "/canh-bao" },
    }),
  );
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  // Only pages of ours, whatever the message says.
  const target = new URL(event.notification.data.url, self.location.origin);
  const url = target.origin === self.location.origin ? target.href : new URL("/canh-bao", self.location.origin).href;
  event.waitUntil(
    self.clients.matchAll({ type: "window", includeUncontrolled: true }).then((pages) => {
      const open = pages.find((page) => page.url === url);
      return open ? open.focus() : self.clients.openWindow(url);
    }),
  );
});
