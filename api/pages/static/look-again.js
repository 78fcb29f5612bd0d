// Looks whether this page has news, and shows it only then: nobody is interrupted for nothing.
const every = Number(document.currentScript.dataset.seconds) * 1000;
const shown = document.querySelector("main").textContent;

async function look() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const text = await answer.text();
    const found = new DOMParser().parseFromString(text, "text/html").querySelector("main");
    if (answer.ok && found && found.textContent !== shown) {
      location.reload();
      return;
    }
  } catch {
    // away for a moment: look again
  }
  setTimeout(look, every);
}

setTimeout(look, every);
