// Lets the browser install Tallygate and show its offline page. Pages work without it.
if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register("/service-worker.js").catch(() => {});
}
