// The page on which the bank learns a word, with a picture segmented before and after.

import { html, render } from "./vendor/lit-html/lit-html.js";
import { at, followJob, getBytes, getJson, newest, patiently, Problem, upload } from "./api.js";
import { decode, pictureOf } from "./loading.js";
import { readArray } from "./npz.js";
import { Painter } from "./painter.js";
import { counted, nameOf, Pictures } from "./pictures.js";
import { percent } from "./results.js";
import { randomKey, TRIES } from "./sending.js";
import { announce, askBeforeLeaving, bank, bringIntoSight, chooseBank, clearProblems, confirmed, element, scrolling, shielded } from "./shell.js";
import { css, labelsOf, MaskViewer } from "./viewer.js";
import { noteOf, nounsLike, NounField, Words } from "./words.js";

const COMPARED = 8;
const WAIT_SECONDS = 120;

const noun = new NounField(element("noun"), {
  id: "word",
  label: "What it is called",
  keeps: true,
  onTake: () => {},
  onType: () => wordChanged(),
});
let isPainted = false; // and not learnt yet
let taught = ""; // the captions that are learnt
const painter = new Painter(element("painter"), {
  findRegions,
  onChange: () => {
    isPainted = painter.area > 0;
    refresh();
  },
  shielded,
});
askBeforeLeaving(() => busy || isPainted || captions().join("\n") !== taught);
const painted = new Pictures(element("painted"), {
  several: false,
  onChange: shielded(async ([file]) => {
    const before = painter.file;
    if (file && file === before) return; // it was put back
    if (isPainted && !(await confirmed("Leave this painting?", "What is painted is lost.", "Leave it"))) {
      painted.add([before]);
      return;
    }
    isPainted = false;
    await painter.open(file ?? null);
    refresh();
    if (file) bringIntoSight(element("painter"));
  }),
});
const trial = new Pictures(element("trial"), { several: false, takesPaste: false, onChange: () => refresh() });
const others = new Words(element("others"), {
  id: "other",
  label: "Words to compare it with",
  hint: "Every pixel gets the best of these and the new one.",
  onChange: () => {},
});

let busy = false;
const way = () => element("ask").elements.way.value;
const captions = () => element("captions").value.split("\n").map((line) => line.trim()).filter(Boolean);
const word = () => noun.value.trim();

function missing() {
  if (!word()) return "Type the word first.";
  if (way() === "captions") return captions().length ? "" : "Write a caption.";
  if (!painter.file) return "Choose a picture to paint in.";
  return painter.area ? "" : "Paint what the word names.";
}

function refresh() {
  const text = missing();
  element("submit").setAttribute("aria-disabled", busy || text ? "true" : "false");
  if (!busy) element("state").textContent = text;
}

let timer;
function wordChanged() {
  clearTimeout(timer);
  timer = setTimeout(shielded(showNote), 300);
  refresh();
}

const noteAsked = newest();
async function showNote() {
  const isNewest = noteAsked();
  const asked = word();
  const text = asked && bank ? (await noteOf(asked)).text : "";
  if (isNewest()) element("note").textContent = text && `The bank has ${text}.`;
}

/** Segment one picture and return its result. */
async function segment(file, categories) {
  const form = new FormData();
  form.append("request", JSON.stringify({ categories, ...(bank && { bank }), priority: "high" }));
  form.append("image", file, nameOf(file));
  const accepted = await submitForm("segmentations", form, { Prefer: `wait=${WAIT_SECONDS}` });
  const results = accepted.items ? accepted : await ended(accepted.job);
  const [item] = results.items;
  if (item.state !== "done") throw new Problem(422, item.error || `the picture is ${item.state}`);
  return item;
}

/** Submit a form; again if the server does not answer, which makes no second job. */
function submitForm(path, form, headers = {}) {
  const all = { ...headers, "Idempotency-Key": randomKey() };
  return patiently(() => upload(at(["v1", path]), form, () => {}, all), { times: TRIES });
}

async function ended(job) {
  for await (const _ of followJob(job, new AbortController().signal)) {
    // only its end matters
  }
  return patiently(() => getJson(at(["v1", "jobs", job, "results"])));
}

async function findRegions(file) {
  const item = await segment(file, [word() || "thing", ...others.texts.slice(0, 1)]);
  const { shape, values } = await readArray(await getBytes(item.files["scores-npz"]), "regions");
  return { height: shape[0], width: shape[1], map: values };
}

async function submit() {
  if (busy || missing()) return refresh();
  clearProblems();
  busy = true;
  refresh();
  const bar = element("progress");
  try {
    const [name, chosen, lines] = [word(), way(), captions()]; // what is typed meanwhile is not meant
    const file = trial.files[0] ?? (chosen === "painting" ? painter.file : undefined);
    others.take();
    const words = [name, ...others.texts.filter((text) => text !== name)];
    say("Segmenting the picture before …");
    const before = file && (await segment(file, words));
    if (before) await showGain(file, name, before, null);
    say("Sending …");
    const { area } = painter; // what is painted from here on is not learnt
    const { job } = await (chosen === "captions" ? submitForm("captions", form({ captions: lines })) : sendPainting(name));
    bar.hidden = false;
    for await (const { progress } of followJob(job, new AbortController().signal)) {
      bar.max = progress.total;
      bar.value = progress.done + progress.failed;
      say(`Learning: ${progress.units.done} of ${counted(progress.units.total, progress.units.name.replace(/s$/, ""))} …`);
    }
    bar.hidden = true;
    others.askAgain();
    const learnt = await patiently(() => getJson(at(["v1", "jobs", job])));
    if (learnt.state !== "done") throw new Problem(422, learnt.errors[0]?.error ?? `the job is ${learnt.state}`);
    if (chosen === "painting") isPainted = painter.area > 0 && painter.area !== area;
    else taught = lines.join("\n");
    if (file) {
      say("Segmenting the picture after …");
      await showGain(file, name, before, await segment(file, words));
    }
    const count = learnt.totals["new prototypes"] ?? learnt.totals.prototypes ?? 0;
    say(count ? `Learnt: ${counted(count, "new prototype")}.` : "Nothing new: the bank had all of it.");
  } catch (error) {
    say("");
    throw error;
  } finally {
    busy = false;
    bar.hidden = true;
    element("submit").setAttribute("aria-disabled", missing() ? "true" : "false");
    shielded(showNote)();
  }
}

function say(text) {
  element("state").textContent = text;
}

async function sendPainting(name) {
  const exemplar = form({ noun: name, drawn_on: "upright" });
  exemplar.append("image", painter.file, nameOf(painter.file));
  exemplar.append("mask", await painter.mask(), "mask.png");
  return submitForm("exemplars", exemplar);
}

function form(fields) {
  const made = new FormData();
  made.append("request", JSON.stringify({ ...fields, ...(bank && { bank }) }));
  return made;
}

const viewers = new Map();

async function showGain(file, name, ...items) {
  const bitmap = await pictureOf(file, items[0].summary.image);
  const parts = await Promise.all(
    items.map(async (item, n) => {
      if (!item) return html`<div><h3>After</h3><p class="soft">not learnt yet</p></div>`;
      const labels = labelsOf(await decode(await getBytes(item.files.mask)), item.summary.categories.length);
      if (!viewers.has(n)) viewers.set(n, new MaskViewer(document.createElement("div"), () => {}));
      const viewer = viewers.get(n);
      viewer.stage.className = "stage";
      viewer.show(bitmap, labels);
      const shown = item.summary.categories.filter((one) => one.area_share).sort((one, other) => other.area_share - one.area_share);
      return html`<div>
        <h3>${n ? "After" : "Before"}: <bdi>${name}</bdi> has ${percent(item.summary.categories[0].area_share)}</h3>
        ${viewer.stage}
        <ul class="row">${shown.map(
          (one) => html`<li><span class="swatch" .style=${`background: ${css(labels.colours[one.index])}`}></span>
            <bdi>${one.name}</bdi> <span class="soft">${percent(one.area_share)}</span></li>`,
        )}</ul>
      </div>`;
    }),
  );
  render(html`<h2>What it gains</h2><div class="pair">${parts}</div>`, element("gain"));
  element("gain").scrollIntoView({ block: "nearest", behavior: scrolling() });
  if (items[1]) announce(`${name}: ${items.map((item) => percent(item.summary.categories[0].area_share)).join(" before, ")} after`);
}

for (const radio of element("ask").elements.way) {
  radio.addEventListener("change", () => {
    element("by-painting").hidden = way() !== "painting";
    element("by-captions").hidden = way() !== "captions";
    element("painter").hidden = way() !== "painting" || !painter.file;
    refresh();
  });
}
element("captions").addEventListener("input", refresh);
element("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  shielded(submit)();
});

async function start() {
  refresh();
  await chooseBank();
  const asked = new URLSearchParams(location.search).get("noun");
  if (asked) {
    noun.value = asked;
    await showNote();
    refresh();
  }
  const kept = JSON.parse(sessionStorage.getItem("freeda-words") ?? "[[]]")[0];
  const usual = kept.length || !bank ? kept : (await nounsLike("", COMPARED)).map((one) => one.noun);
  others.add(...usual);
}

shielded(start)();
