// The page on which pictures are segmented.

import { at, getJson, isPassing, Problem } from "./api.js";
import { ParameterForm } from "./parameters.js";
import { counted, Pictures } from "./pictures.js";
import { Results } from "./results.js";
import { divide, sendBatch } from "./sending.js";
import { announce, askBeforeLeaving, bank, bringIntoSight, chooseBank, clearProblems, element, shielded, showProblem } from "./shell.js";
import { Words } from "./words.js";

const KEPT = "freeda-words";

const results = new Results(element("results"), { onProposals: (names) => words.add(...names) });
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
/** What was interrupted while it was sent: pressing the button again goes on with it. */
let interrupted = null;
/** Files of the jobs of this tab, so that going back to them fetches no picture. */
const filesOfJobs = new Map();

askBeforeLeaving(() => busy);

function refresh() {
  const missing = !pictures.files.length ? "Choose a picture first." : words.texts.length ? "" : "Type a word, or let the bank suggest some.";
  element("submit").setAttribute("aria-disabled", busy || missing ? "true" : "false");
  element("suggest").setAttribute("aria-disabled", busy || !pictures.files.length ? "true" : "false");
  if (!busy) element("state").textContent = missing;
  sessionStorage.setItem(KEPT, JSON.stringify([words, background].map((list) => list.entries.map((entry) => entry.text))));
}

/** Return all fields of a request but its pictures, as JSON. */
function describe(auto) {
  return JSON.stringify({
    ...parameters.changes,
    ...(auto ? { auto: true } : { categories: words.texts }),
    ...(!auto && background.texts.length && { background: background.texts }),
    ...(element("explain").checked && { explain: true }),
    ...(bank && { bank }),
    leave_out_unusable: true,
  });
}

const isSame = (files, others) => files.length === others.length && files.every((file, n) => file === others[n]);

/** Whether the same was asked before and was not sent to its end; what was sent of it is still shown. */
function isInterrupted(request, files) {
  if (!interrupted || interrupted.request !== request || !isSame(interrupted.files, files)) return false;
  const { group } = interrupted;
  return !group || (group === results.group && !group.isCancelled);
}

async function submit(auto) {
  if (busy || !pictures.files.length || (!auto && !words.texts.length)) return refresh();
  clearProblems();
  words.take();
  background.take();
  busy = true;
  refresh();
  try {
    const [request, files] = [describe(auto), [...pictures.files]];
    const plan = isInterrupted(request, files) ? interrupted : await begin(request, files, auto);
    interrupted = null;
    if (plan.batches.length) await sendAll(plan);
  } finally {
    busy = false;
    element("uploaded").hidden = true;
    element("state").textContent = "";
    refresh();
  }
}

/** Plan how pictures are sent, and show what is known before. */
async function begin(request, files, auto) {
  const { limits } = await getJson(at(["v1", "parameters"]));
  const { batches, refused } = divide(files, limits);
  pictures.clearRefusals();
  refuse(refused);
  const total = batches.reduce((sum, batch) => sum + batch.files.length, 0);
  return { request, files, auto, batches, total, sent: 0, group: null };
}

function refuse(refused) {
  if (!refused.size) return;
  pictures.refuse(refused);
  announce(`${counted(refused.size, "picture")} left out: ${[...refused.values()].join("; ")}`);
}

async function sendAll(plan) {
  const bar = element("uploaded");
  bar.hidden = plan.total < 2 && plan.batches[0].files[0].size < 1e6;
  if (plan.group) plan.group.isInterrupted = false;
  while (plan.batches.length) {
    const [batch] = plan.batches;
    const share = plan.batches.length > 1 || plan.sent ? ` ${plan.sent + 1} to ${plan.sent + batch.files.length}` : "";
    const state = `Uploading${share ? ` pictures${share} of ${plan.total.toLocaleString("en")}` : ` ${counted(plan.total, "picture")}`} …`;
    element("state").textContent = state;
    let accepted;
    try {
      accepted = await sendBatch(batch, plan.request, {
        onProgress: (done) => {
          bar.value = (plan.sent + done * batch.files.length) / plan.total;
          element("state").textContent = state;
        },
        onWait: () => (element("state").textContent = "The server does not answer; trying again …"),
      });
    } catch (error) {
      interrupted = plan.group || isPassing(error) ? plan : null; // under the same keys: what was accepted unheard is not doubled
      if (!plan.group) throw error;
      plan.group.isInterrupted = true;
      results.refresh();
      const sent = `${plan.sent.toLocaleString("en")} of ${counted(plan.total, "picture")}`;
      throw new Problem(error.status, `${error.message}; ${sent} were sent, press Segment to send the rest`);
    }
    plan.batches.shift();
    plan.sent += batch.files.length;
    refuse(accepted.refused);
    if (accepted.job) show(plan, accepted);
    if (plan.group?.isCancelled) {
      await plan.group.cancel(); // this one was on its way
      break;
    }
  }
  if (!plan.group) return;
  plan.group.unsent = 0;
  results.refresh();
}

/** Show the results of a batch that was accepted, after those before it. */
function show(plan, { job, files }) {
  const isFirst = !plan.group;
  plan.group ??= results.begin(plan.total);
  plan.group.unsent = plan.total - plan.sent;
  filesOfJobs.set(job, files);
  results.follow(plan.group, job, files, { auto: plan.auto }).catch(showProblem);
  const address = at([""], { job: plan.group.ids });
  if (isFirst && new URLSearchParams(location.search).has("job")) history.pushState(null, "", address);
  else if (results.group === plan.group) history.replaceState(null, "", address); // else another job is looked at by now
  if (isFirst) bringIntoSight(element("results"));
}

/** Show the jobs that the address names. */
async function showAddressed() {
  const jobs = new URLSearchParams(location.search).getAll("job");
  if (jobs.length && String(results.group?.ids) === String(jobs)) return undefined; // only the fragment has changed
  if (!jobs.length) return results.clear();
  const group = results.begin(0);
  return Promise.all(jobs.map((job) => results.follow(group, job, filesOfJobs.get(job) ?? [])));
}

element("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  shielded(submit)(false);
});
element("suggest").addEventListener("click", () => shielded(submit)(true));
element("parameters-box").addEventListener("toggle", shielded(() => parameters.load()));

addEventListener("popstate", shielded(showAddressed));

async function start() {
  const [kept, keptBackground] = JSON.parse(sessionStorage.getItem(KEPT) ?? "[[], []]"); // before it is written again
  words.add(...kept);
  background.add(...keptBackground);
  element("background-box").open = keptBackground.length > 0;
  try {
    await chooseBank();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    showProblem(error); // without a worker old results can be seen
  }
  if (new URLSearchParams(location.search).has("job")) await showAddressed();
}

shielded(start)();
