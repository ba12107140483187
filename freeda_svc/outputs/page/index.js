"use strict";
(() => {
  const at = (id) => document.getElementById(id);
  const images = Array.from(document.querySelectorAll(".image"));
  const viewer = at("viewer"), filter = at("filter");
  const buttons = Array.from(document.querySelectorAll("#categories button"));
  const texts = images.map((image) => `${image.querySelector("h2").textContent}\n${image.dataset.categories}`.toLowerCase());
  let category = null, shown = images, current = null;

  function choose() {
    const words = filter.value.trim().toLowerCase();
    images.forEach((image, place) => {
      const has = category === null || image.dataset.categories.split("\n").includes(category);
      image.hidden = !(has && texts[place].includes(words));
    });
    shown = images.filter((image) => !image.hidden);
    at("found").textContent = shown.length === images.length ? "" : `${shown.length} of ${images.length}`;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.category === category));
  }

  // What is shown large is made of copies of what the page holds: text from outside is never read as markup.
  function show(image) {
    current = image;
    at("viewer-name").textContent = image.querySelector("h2").textContent;
    at("picture").src = image.querySelector(".shot").href;
    at("picture").alt = image.querySelector("h2").textContent;
    at("about").replaceChildren(image.querySelector(".files").cloneNode(true), image.querySelector(".legend").cloneNode(true));
    const place = shown.indexOf(image);
    at("place").textContent = `${place + 1} / ${shown.length}`;
    at("previous").disabled = place <= 0;
    at("next").disabled = place === shown.length - 1;
    if (!viewer.open) viewer.showModal();
    history.replaceState(null, "", `#${image.id}`);
  }

  function step(by) {
    const next = shown[shown.indexOf(current) + by];
    if (next) show(next);
  }

  at("search").hidden = false;
  filter.addEventListener("input", choose);
  for (const button of buttons) {
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => {
      category = category === button.dataset.category ? null : button.dataset.category;
      choose();
    });
  }
  for (const image of images) {
    image.querySelector(".shot").addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(image);
    });
  }
  at("previous").addEventListener("click", () => step(-1));
  at("next").addEventListener("click", () => step(1));
  function leave() {
    if (viewer.open) viewer.close();
    if (current === null) return;
    history.replaceState(null, "", location.pathname + location.search);
    current.scrollIntoView({ block: "nearest" });
    current.querySelector(".shot").focus();
    current = null;
  }

  at("close").addEventListener("click", leave);
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) leave();
  });
  viewer.addEventListener("close", leave); // by the Escape key
  viewer.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    else if (event.key === "ArrowRight") step(1);
    else return;
    event.preventDefault();
  });
  const opened = /^#image-\d+$/.test(location.hash) ? at(location.hash.slice(1)) : null;
  if (opened) show(opened);
})();
