// Keeps the files of KEPT under NAME; both stand above. Pages always come from the network: bills
// are personal and change, so none of them is ever kept.
const OFFLINE = KEPT[0];

self.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(NAME).then((cache) => cache.addAll(KEPT)).then(() => self.skipWaiting())
  );
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys()
      .then((names) => Promise.all(names.filter((each) => each !== NAME).map((each) => caches.delete(each))))
      .then(() => self.clients.claim())
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== self.location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match(OFFLINE)));
  } else if (KEPT.slice(1).includes(address.pathname + address.search)) {
    event.respondWith(caches.match(request).then((found) => found || fetch(request)));
  }
});
