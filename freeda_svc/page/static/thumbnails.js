// Pictures of prototypes: what each was pooled from, the same dimmed outside its mask, and the attribution.

import { html } from "./vendor/lit-html/lit-html.js";
import { ref } from "./vendor/lit-html/directives/ref.js";
import { at, getBlob } from "./api.js";

const kept = new Map();

function urlOf(bank, id) {
  const path = at(["v1", "banks", bank, "prototypes", id, "picture.png"]);
  if (!kept.has(path)) {
    const url = getBlob(path).then(
      (blob) => URL.createObjectURL(blob),
      (error) => {
        if (error.status !== 404) kept.delete(path); // asked for again when it is next shown
        return null;
      },
    );
    kept.set(path, url);
  }
  return kept.get(path);
}

const waiting = new WeakMap();
const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    load(target);
  }
});

async function load(image) {
  const { bank, id } = waiting.get(image);
  const url = await urlOf(bank, id);
  if (waiting.get(image).id !== id) return; // another prototype is shown here by now
  if (url) image.src = url;
  image.hidden = !url;
  image.nextElementSibling.hidden = Boolean(url);
}

/** Return the picture of a prototype; asked for when it comes into sight. */
export function thumbnail(bank, id, caption) {
  const watch = (image) => {
    if (!image || waiting.get(image)?.id === id) return;
    waiting.set(image, { bank, id });
    seen.observe(image);
  };
  return html`<img alt=${caption ?? ""} width="288" height="96" ${ref(watch)} /><span class="none-kept" hidden>no picture kept</span>`;
}
