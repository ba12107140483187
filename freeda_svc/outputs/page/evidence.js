"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("evidence"), pictures = read("pictures");
  const at = (id) => document.getElementById(id);
  const { height, width, runs } = data.map;
  const regions = data.regions;
  const weight = data.appearance_weight ?? 0;
  const present = new Map(data.categories.map((category) => [category.index, category]));
  const map = new Int32Array(height * width);
  for (let run = 0, start = 0; run < runs.length; run += 2) {
    map.fill(runs[run], start, start + runs[run + 1]);
    start += runs[run + 1];
  }

  // Text from outside only ever becomes text: nothing here is read as markup.
  const make = (name, text, ...inside) => {
    const element = document.createElement(name);
    if (text !== undefined && text !== null) element.textContent = text;
    element.append(...inside);
    return element;
  };
  const number = (value, digits = 4) => (value === null ? "not known" : value.toFixed(digits));
  const percent = (share) => (share > 0 && share < 0.001 ? "< 0.1 %" : `${(100 * share).toFixed(1)} %`);
  // As the picture shows it on average: the colour over what is under it, as opaque as the mask is.
  const colour = (index) => {
    const over = index < 0 ? pictures.unknown : pictures.colours[index], under = pictures.under.at(index), opacity = at("opacity").value / 100;
    return `rgb(${over.map((channel, place) => Math.round(channel * opacity + under[place] * (1 - opacity))).join(" ")})`;
  };
  const swatch = (index) => {
    const box = make("span");
    box.className = "swatch";
    box.dataset.index = index;
    box.style.background = colour(index);
    return box;
  };
  const nameOf = (index) => (index < 0 ? "unknown" : data.names[index]);

  let cursor = null, held = null, chosen = null, shownRegion = null;
  const marks = at("marks"), stage = at("stage"), pen = marks.getContext("2d");
  marks.width = width;
  marks.height = height;
  stage.style.setProperty("--shape", width / height);
  if (width < 400) stage.classList.add("small");

  function draw() {
    const pixels = pen.createImageData(width, height);
    const paint = new Uint32Array(pixels.data.buffer); // one number a pixel: alpha, blue, green, red
    const region = held ?? shownRegion;
    for (let place = 0; place < map.length; place++) {
      const here = map[place];
      if (here === region) {
        const column = place % width;
        const border = column === 0 || column === width - 1 || place < width || place >= map.length - width ||
          map[place - 1] !== here || map[place + 1] !== here || map[place - width] !== here || map[place + width] !== here;
        paint[place] = border ? 0xffffffff : 0x5affffff;
      } else if (chosen !== null && regions.label[here] !== chosen) paint[place] = 0x96000000;
    }
    pen.putImageData(pixels, 0, 0);
    if (cursor !== null) {
      pen.fillStyle = "#f00";
      const size = Math.max(1, Math.round(Math.max(width, height) / 200));
      pen.fillRect(cursor.x - size, cursor.y, 2 * size + 1, 1);
      pen.fillRect(cursor.x, cursor.y - size, 1, 2 * size + 1);
    }
  }

  function bar(parts, widest) {
    const box = make("div");
    box.className = "bar";
    for (const [kind, part] of Object.entries(parts)) {
      const piece = make("span");
      piece.className = kind;
      piece.style.width = `${Math.max(0, (100 * part) / widest).toFixed(2)}%`;
      box.append(piece);
    }
    return box;
  }

  function showRegion(region) {
    const label = regions.label[region], tile = region >= regions.regions;
    const area = regions.pixels[region] / (width * height);
    at("region-title").textContent = `${tile ? "Tile" : "Region"} ${region}: ${nameOf(label)}`;
    at("region-facts").textContent = `${percent(area)} of the image` +
      (tile ? "; its pixels are scored one by one, these are the scores of one in its middle" : "");
    const body = at("parts").tBodies[0], beta = data.beta;
    body.replaceChildren();
    const best = regions.score[region][0];
    const widest = Math.max(...regions.score[region].map((score) => Math.abs(score)), 1e-6);
    regions.categories[region].forEach((index, place) => {
      const score = regions.score[region][place], local = regions.local[region][place], global = regions.global[region][place];
      const support = weight > 0 ? regions.support[region][place] : 0;
      const head = make("th", null, swatch(index), make("span", nameOf(index)));
      head.scope = "row";
      const split = local === null || global === null || support === null;
      const own = 1 - weight;
      const drawn = split ? bar({ local: score }, widest)
        : bar({ local: own * beta * local, global: own * (1 - beta) * global, support: weight * support }, widest);
      const row = make("tr", null, head, make("td", null, drawn), make("td", number(score)), make("td", number(local)),
        make("td", number(global)), ...(weight > 0 ? [make("td", number(support))] : []),
        make("td", place === 0 ? "" : number(best - score)));
      if (index === label) row.className = "won";
      body.append(row);
    });
    at("parts").hidden = false;
    if (chosen === null) showCategory(label);
  }

  function showCategory(index) {
    const category = present.get(index);
    at("prototypes").replaceChildren();
    at("texts").replaceChildren();
    if (!category) {
      at("prototypes-title").textContent = index < 0 ? "Unknown pixels belong to no category" : "";
      return;
    }
    at("prototypes-title").textContent = `Prototypes that agree most with ${category.name}`;
    for (const text of category.texts) {
      const nouns = Object.entries(text.nouns).slice(0, 6).map(([noun, count]) => `${noun || "no noun"} ${count}`);
      const more = Object.keys(text.nouns).length - nouns.length;
      const line = make("p", `“${text.text}” retrieved ${text.retrieved}: ${nouns.join(", ")}` +
        (more > 0 ? ` and ${more} more` : "") + `; cosine with the regions ${number(text.cosine)}`);
      line.className = "soft";
      at("texts").append(line);
    }
    for (const prototype of category.prototypes) at("prototypes").append(card(prototype));
  }

  function card(prototype) {
    const item = make("li");
    const source = pictures.prototypes[prototype.id];
    if (source) {
      const image = make("img");
      image.src = source;
      image.alt = `What the prototype of ${prototype.noun || "no noun"} was pooled from: the image, and the part under its mask`;
      item.append(image);
    } else {
      const none = make("div", "no picture was kept");
      none.className = "none";
      item.append(none);
    }
    item.append(caption(prototype));
    const facts = make("dl");
    const tell = (name, value) => facts.append(make("dt", name), make("dd", value));
    tell("noun", prototype.noun || "not known");
    tell("agreement", number(prototype.agreement));
    if (prototype.contribution !== null) tell("contribution", number(prototype.contribution, 5));
    tell("key score", number(prototype.key_score));
    tell("origin", prototype.origin);
    item.append(facts);
    return item;
  }

  function caption(prototype) {
    const letters = Array.from(prototype.caption), line = make("p");
    let done = 0;
    for (const [start, end] of prototype.spans) {
      if (start < done || end <= start || end > letters.length) continue;
      line.append(letters.slice(done, start).join(""), make("mark", letters.slice(start, end).join("")));
      done = end;
    }
    line.append(letters.slice(done).join(""));
    return line;
  }

  function look(place) {
    if (held !== null || place === null) return;
    const region = map[place.y * width + place.x];
    if (region !== shownRegion) {
      shownRegion = region;
      showRegion(region);
    }
    draw();
  }

  function hold(region) {
    held = held !== null && (region === null || held === region) ? null : region;
    at("held").textContent = held === null ? "" : "held: click it again to let go";
    if (held !== null) {
      shownRegion = held;
      showRegion(held);
    }
    draw();
  }

  function choose(index) {
    chosen = chosen === index ? null : index;
    for (const button of at("legend").querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(Number(button.dataset.index) === chosen));
    if (chosen !== null) showCategory(chosen);
    else if (shownRegion !== null) showCategory(regions.label[shownRegion]);
    draw();
  }

  function placeOf(event) {
    const box = stage.getBoundingClientRect();
    const x = Math.floor(((event.clientX - box.left) / box.width) * width);
    const y = Math.floor(((event.clientY - box.top) / box.height) * height);
    return x < 0 || y < 0 || x >= width || y >= height ? null : { x, y };
  }

  stage.addEventListener("pointermove", (event) => {
    cursor = null;
    look(placeOf(event));
  });
  stage.addEventListener("click", (event) => {
    const place = placeOf(event);
    cursor = null;
    if (place !== null) hold(map[place.y * width + place.x]);
  });
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  stage.addEventListener("keydown", (event) => {
    const step = Math.max(1, Math.round(Math.max(width, height) / (event.shiftKey ? 10 : 60)));
    if (event.key in moves) {
      cursor ??= { x: width >> 1, y: height >> 1 };
      const [x, y] = moves[event.key];
      cursor = {
        x: Math.min(width - 1, Math.max(0, cursor.x + step * x)),
        y: Math.min(height - 1, Math.max(0, cursor.y + step * y)),
      };
      look(cursor);
      draw();
    } else if (event.key === "Enter" && cursor !== null) hold(map[cursor.y * width + cursor.x]);
    else if (event.key === "Escape") hold(null);
    else return;
    event.preventDefault();
  });
  at("opacity").addEventListener("input", (event) => {
    at("mask").style.opacity = event.target.value / 100;
    for (const box of document.querySelectorAll(".swatch")) box.style.background = colour(Number(box.dataset.index));
  });

  const proposed = new Map((data.proposals?.categories ?? []).map((proposal) => [proposal.noun, proposal]));
  const confidence = (name) => (proposed.has(name) ? `  confidence ${proposed.get(name).confidence?.toFixed(2)}` : "");
  for (const category of data.categories) {
    const button = make("button", null, swatch(category.index), make("span", category.name),
      make("span", `  ${percent(category.area_share)}`), make("span", confidence(category.name)));
    button.type = "button";
    button.dataset.index = category.index;
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => choose(category.index));
    at("legend").append(make("li", null, button));
  }
  if (data.unknown_share > 0) at("legend").append(make("li", null, swatch(-1), make("span", `unknown ${percent(data.unknown_share)}`)));
  const absent = data.names.length - data.categories.length;
  if (absent > 0) at("legend").append(make("li", `not found: ${absent} of ${data.names.length}`));
  const kind = data.local_similarity === "sigmoid" ? "sigmoid of the local cosine" : "local cosine";
  const share = (value) => Number(value.toFixed(6));
  const own = `${data.beta} × ${kind} + ${share(1 - data.beta)} × global cosine`;
  const formula = weight > 0 ? `${share(1 - weight)} × (${own}) + ${weight} × support by appearance` : own;
  at("facts").textContent = `${data.image.width} × ${data.image.height} pixels · score = ${formula} · ` +
    `${data.bank ? `bank ${data.bank} · ` : ""}pack ${data.pack}` +
    (data.proposals ? ` · categories proposed from ${data.proposals.nouns} nouns` : "") +
    (data.bank_changed ? " · the bank has changed since" : "");
  const localPart = make("span", "local"), globalPart = make("span", "global");
  localPart.className = "local";
  globalPart.className = "global";
  at("bar-title").append(localPart, " + ", globalPart);
  if (weight > 0) {
    const supportPart = make("span", "support"), title = make("th", "support");
    supportPart.className = "support";
    title.scope = "col";
    at("bar-title").append(" + ", supportPart);
    at("parts").tHead.rows[0].lastElementChild.before(title);
  }
  if (data.categories.length > 0) showCategory(data.categories[0].index);
})();
