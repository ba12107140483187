// The page on which pictures are segmented.

import { at, Problem, upload } from "./api.js";
import { ParameterForm } from "./parameters.js";
import { counted, Pictures } from "./pictures.js";
import { JobResults } from "./results.js";
import { bank, chooseBank, clearProblems, element, scrolling, shielded, showProblem } from "./shell.js";
import { Words } from "./words.js";

const KEPT = "freeda-words";

const results = new JobResults(element("results"), { onProposals: (names) => words.add(...names) });
const pictures = new Pictures(element("pictures"), { onChange: refresh });
const words = new Words(element("words"), {
  id: "word",
  label: "What to look for",
  hint: "Enter or a comma takes a word; boat|ship are synonyms.",
  onChange: refresh,
});
const background = new Words(element("background"), { id: "background-word", label: "Background", hint: "", onChange: refresh });
const parameters = new ParameterForm(element("parameters"), (count) => {
  element("changed").textContent = count ? `${count} changed` : "";
});

let busy = false;

function refresh() {
  const missing = !pictures.files.length ? "Choose a picture first." : words.texts.length ? "" : "Type a word, or let the bank suggest some.";
  element("submit").setAttribute("aria-disabled", busy || missing ? "true" : "false");
  element("suggest").setAttribute("aria-disabled", busy || !pictures.files.length ? "true" : "false");
  if (!busy) element("state").textContent = missing;
  sessionStorage.setItem(KEPT, JSON.stringify([words, background].map((list) => list.entries.map((entry) => entry.text))));
}

async function submit(auto) {
  if (busy || !pictures.files.length || (!auto && !words.texts.length)) return refresh();
  clearProblems();
  words.take();
  background.take();
  const files = [...pictures.files];
  const form = new FormData();
  form.append(
    "request",
    JSON.stringify({
      ...parameters.changes,
      ...(auto ? { auto: true } : { categories: words.texts }),
      ...(!auto && background.texts.length && { background: background.texts }),
      ...(element("explain").checked && { explain: true }),
      ...(bank && { bank }),
    }),
  );
  for (const file of files) form.append("image", file, file.name);
  busy = true;
  refresh();
  element("state").textContent = `Uploading ${counted(files.length, "picture")} …`;
  const bar = element("uploaded");
  bar.hidden = files.length < 2 && files[0].size < 1e6;
  try {
    const { job } = await upload(at(["v1", "segmentations"]), form, (share) => (bar.value = share));
    history.replaceState(null, "", at([""], { job }));
    results.follow(job, files, { auto }).catch(showProblem);
    if (matchMedia("(max-width: 60rem)").matches) element("results").scrollIntoView({ behavior: scrolling() });
  } finally {
    busy = false;
    bar.hidden = true;
    element("state").textContent = "";
    refresh();
  }
}

element("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  shielded(submit)(false);
});
element("suggest").addEventListener("click", () => shielded(submit)(true));
element("parameters-box").addEventListener("toggle", shielded(() => parameters.load()));

async function start() {
  refresh();
  try {
    await chooseBank();
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 503) throw error; // without a worker old results can be seen
    showProblem(error);
  }
  const [kept, keptBackground] = JSON.parse(sessionStorage.getItem(KEPT) ?? "[[], []]");
  words.add(...kept);
  background.add(...keptBackground);
  element("background-box").open = keptBackground.length > 0;
  const job = new URLSearchParams(location.search).get("job");
  if (job) await results.follow(job, []);
}

shielded(start)();
