// The page of jobs: a list that follows what happens, and one job in detail.

import { html, nothing, render } from "./vendor/lit-html/lit-html.js";
import { repeat } from "./vendor/lit-html/directives/repeat.js";
import { at, download, followJob, getJson, newest, patiently, send } from "./api.js";
import { ENDED, stateOfAll } from "./job_group.js";
import { counted } from "./pictures.js";
import { placeInGroup } from "./sending.js";
import { announce, confirmed, element, shielded, showProblem } from "./shell.js";

const [PAGE, MOST] = [25, 200];
const [LOOK_MS, LOOK_AT_OPEN_MS] = [10_000, 1500];
const KINDS = { segment: "segment", ingest: "captions", exemplars: "exemplars", export: "export", import: "import" };

const isOpen = (job) => !ENDED.includes(job.state);
const stateClass = (state) => `state-${state.replace(" ", "-")}`;

function ago(moment) {
  const seconds = (Date.now() - new Date(moment)) / 1000;
  const [unit, size] = [["day", 86_400], ["hour", 3600], ["minute", 60]].find(([, one]) => seconds >= one) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.floor(Math.max(0, seconds) / size), unit);
}

function left(seconds) {
  if (seconds === null) return "";
  const [unit, size] = [["h", 3600], ["min", 60]].find(([, one]) => seconds >= one) ?? ["s", 1];
  return `about ${Math.ceil(seconds / size)} ${unit} left`;
}

const time = (moment) => html`<time datetime=${moment} title=${new Date(moment).toLocaleString()}>${ago(moment)}</time>`;

function progressOf({ progress, state, kind }) {
  const { units, failed } = progress;
  const text = `${units.done.toLocaleString("en")} of ${counted(units.total, units.name.replace(/s$/, ""))}`;
  return html`${isOpen({ state })
      ? html`<progress max=${progress.total} value=${progress.total - progress.queued - progress.running}
          aria-label="Progress of this ${KINDS[kind] ?? kind} job"></progress>`
      : nothing}
    <span class="number">${text}${failed ? `, ${failed} failed` : ""}</span>
    <span class="soft">${isOpen({ state }) ? left(progress.seconds_left) : ""}</span>`;
}

let jobs = [];
let next = null;
let timer;
const asked = newest();

const query = () => Object.fromEntries(new FormData(element("filter")));

/** Ask for the newest jobs; further pages that were asked for stay as they were. */
async function look() {
  clearTimeout(timer);
  const isNewest = asked();
  try {
    // as many as it takes to see what is open, which may be more than the newest
    const open = jobs.findLastIndex(isOpen) + 1;
    const page = await getJson(at(["v1", "jobs"], { ...query(), limit: Math.min(MOST, Math.max(PAGE, open)) }));
    if (!isNewest()) return;
    const ids = new Set(page.items.map((job) => job.id));
    const last = page.items.at(-1)?.created_at ?? "";
    const older = jobs.filter((job) => !ids.has(job.id) && job.created_at < last);
    if (!older.length) next = page.next;
    jobs = [...page.items, ...older];
    await complete(isNewest);
    if (isNewest()) renderList();
  } finally {
    clearTimeout(timer);
    timer = setTimeout(shielded(whileSeen), jobs.some(isOpen) ? LOOK_AT_OPEN_MS : LOOK_MS);
  }
}

const whileSeen = () => (document.hidden ? undefined : look());
document.addEventListener("visibilitychange", shielded(whileSeen));

async function more() {
  const wanted = JSON.stringify(query());
  const isWanted = () => wanted === JSON.stringify(query()); // else other jobs are asked for by now
  if (!(await addOlder(PAGE, isWanted))) return;
  await complete(isWanted);
  if (isWanted()) renderList();
}

/** Ask for the jobs after the last one; false where they are not wanted any more. */
async function addOlder(limit, isWanted) {
  const page = await getJson(at(["v1", "jobs"], { ...query(), limit, after: next }));
  if (!isWanted()) return false;
  const there = new Set(jobs.map((job) => job.id)); // the list may have been asked for meanwhile
  jobs = [...jobs, ...page.items.filter((job) => !there.has(job.id))];
  next = page.next;
  return true;
}

/** Whether jobs that were sent together are shown as one: not where only some of them may be wanted. */
const isGrouped = () => !query().state && !query().source;

/** Ask for the rest of a group where the list ends within one, so that its row has all of it. */
async function complete(isWanted) {
  const isCut = () => isGrouped() && next && (placeInGroup(jobs.at(-1))?.number ?? 1) > 1;
  while (isCut() && (await addOlder(MOST, isWanted)));
}

/** Jobs that were sent together, as lists in the place of the newest; all others alone. */
function grouped() {
  const groups = new Map();
  for (const job of jobs) {
    const name = (isGrouped() && placeInGroup(job)?.group) || job.id;
    groups.set(name, [job, ...(groups.get(name) ?? [])]);
  }
  return [...groups].map(([name, members]) => ({ name, members }));
}

function renderList() {
  const filtered = Object.values(query()).some(Boolean);
  render(
    jobs.length
      ? html`<table class="list">
            <caption class="unseen">Jobs, the newest first</caption>
            <thead><tr>${["State", "Kind", "Source", "Progress", "Submitted"].map((name) => html`<th scope="col">${name}</th>`)}</tr></thead>
            <tbody>${repeat(grouped(), ({ name }) => name, rows)}</tbody>
          </table>
          ${next ? html`<p class="buttons"><button type="button" @click=${shielded(more)}>Older jobs</button></p>` : nothing}`
      : html`<div class="empty"><p>${filtered ? "No job is like that." : "There are no jobs yet: segment a picture, or teach a word."}</p></div>`,
    element("list"),
  );
}

/** Names of the groups whose jobs are shown one by one. */
const unfolded = new Set();

function rows({ name, members }) {
  if (members.length === 1) return row(members[0]);
  const isUnfolded = unfolded.has(name);
  const toggle = () => {
    isUnfolded ? unfolded.delete(name) : unfolded.add(name);
    renderList();
  };
  const all = { state: stateOf(members), kind: members[0].kind, progress: sumOf(members) };
  return html`<tr>
      <td data-label="State" class="fit"><span class=${stateClass(all.state)}>${all.state}</span></td>
      <td data-label="Kind" class="fit"><span>${KINDS[all.kind] ?? all.kind}</span></td>
      <th scope="row" data-label="Source" class="source"><span class="row">
        <a href=${at([""], { job: members.map((job) => job.id) })}>${counted(all.progress.units.total, "uploaded image")}</a>
        <button type="button" class="quiet" aria-expanded=${isUnfolded ? "true" : "false"} @click=${toggle}>${counted(members.length, "job")}</button>
      </span></th>
      <td data-label="Progress"><span>${progressOf(all)}</span></td>
      <td data-label="Submitted" class="fit"><span>${time(members[0].created_at)}</span></td>
    </tr>
    ${isUnfolded ? repeat(members, (job) => job.id, (job) => row(job, "member")) : nothing}`;
}

/** The state of several jobs together. */
function stateOf(members) {
  const states = members.map((job) => job.state);
  if (!members.some(isOpen)) return stateOfAll(states);
  return states.every((state) => state === "queued") ? "queued" : "running";
}

/** The progress of several jobs together. */
function sumOf(members) {
  const all = members.map((job) => job.progress);
  const sum = (of) => all.reduce((total, progress) => total + of(progress), 0);
  const names = ["total", "queued", "running", "done", "failed", "cancelled"];
  const open = members.filter(isOpen).map((job) => job.progress);
  return {
    ...Object.fromEntries(names.map((name) => [name, sum((progress) => progress[name])])),
    units: { name: all[0].units.name, done: sum(({ units }) => units.done), total: sum(({ units }) => units.total) },
    seconds_left: open.some((progress) => progress.seconds_left === null)
      ? null
      : open.reduce((total, progress) => total + progress.seconds_left, 0),
  };
}

function row(job, kind = "") {
  const show = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return; // a tab of its own
    event.preventDefault();
    history.pushState(null, "", at(["jobs"], { job: job.id }));
    shielded(open)(job.id, true);
  };
  return html`<tr class=${kind}>
    <td data-label="State" class="fit"><span class=${stateClass(job.state)}>${job.state}</span></td>
    <td data-label="Kind" class="fit"><span>${KINDS[job.kind] ?? job.kind}</span></td>
    <th scope="row" data-label="Source" class="source"><a href=${at(["jobs"], { job: job.id })} @click=${show}><bdi>${job.source || job.id}</bdi></a></th>
    <td data-label="Progress"><span>${progressOf(job)}</span></td>
    <td data-label="Submitted" class="fit"><span>${time(job.created_at)}</span></td>
  </tr>`;
}

let following;
/** The id of the job that is shown in detail. */
let shown = null;

/** Show a job in detail and follow it to its end. */
async function open(id, isAsked = false) {
  following?.abort();
  const { signal } = (following = new AbortController());
  const place = element("job");
  place.hidden = !id;
  if (!id) return;
  let job;
  try {
    job = await getJson(at(["v1", "jobs", id]));
  } catch (error) {
    if (!signal.aborted && id !== shown) place.hidden = true; // else another job would stand under this one's address
    throw error;
  }
  if (signal.aborted) return;
  renderJob(job);
  if (isAsked) place.querySelector("h2").focus();
  if (!isOpen(job)) return;
  for await (const { state, progress } of followJob(job.id, signal)) {
    if (isOpen({ state }) && progress.failed === job.progress.failed) job = { ...job, state, progress };
    else job = await patiently(() => getJson(at(["v1", "jobs", job.id])), { signal }); // with errors and totals
    if (signal.aborted) return;
    renderJob(job);
  }
  if (signal.aborted) return;
  announce(`The job is ${job.state}`);
  await look();
}

async function cancel(job) {
  if (!(await confirmed("Cancel this job?", "What is done stays; what has not begun is left out.", "Cancel the job"))) return;
  await send("DELETE", at(["v1", "jobs", job.id]));
  await Promise.all([open(job.id), look()]);
}

async function retry(job) {
  await send("POST", at(["v1", "jobs", job.id, "retry"]));
  open(job.id).catch(showProblem);
  await look();
}

function close() {
  history.pushState(null, "", at(["jobs"]));
  shielded(open)(null);
  element("list").querySelector("a")?.focus();
}

function renderJob(job) {
  shown = job.id;
  const { progress, errors, totals, parameters } = job;
  const facts = {
    ...Object.fromEntries(Object.entries(totals).map(([name, value]) => [name.replaceAll("_", " "), value.toLocaleString("en")])),
    ...(parameters.bank && { bank: parameters.bank }),
    priority: job.priority,
  };
  const categories = parameters.categories?.map((one) => one.name ?? one) ?? [];
  render(
    html`<div class="panel">
      <div class="head">
        <div class="grow">
          <h2 tabindex="-1"><bdi>${job.source || job.id}</bdi></h2>
          <span class="soft">${KINDS[job.kind] ?? job.kind} · job ${job.id} · ${time(job.created_at)}</span>
        </div>
        ${isOpen(job) ? html`<button type="button" @click=${shielded(() => cancel(job))}>Cancel</button>` : nothing}
        ${progress.failed && job.state !== "cancelled" ? html`<button type="button" @click=${shielded(() => retry(job))}>Try failed again</button>` : nothing}
        ${job.kind === "segment" ? html`<a class="button" href=${at([""], { job: job.id })}>Look at results</a>` : nothing}
        ${job.kind === "segment" && progress.done
          ? html`<button type="button" @click=${() => shielded(download)(at(["v1", "jobs", job.id, "results.zip"]), `${job.id}.zip`)}>Download zip</button>`
          : nothing}
        <button type="button" class="icon-button" aria-label="Close job" @click=${close}>✕</button>
      </div>
      <p><b class=${stateClass(job.state)}>${job.state}</b> ${progressOf(job)}</p>
      ${categories.length ? html`<p class="soft">Words: ${categories.map((name, n) => html`${n ? ", " : ""}<bdi>${name}</bdi>`)}</p>` : nothing}
      <dl class="facts">${Object.entries(facts).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
      ${errors.length
        ? html`<h3>What failed</h3>
            <ul>${errors.map((error) => html`<li><bdi>${error.name}</bdi> <span class="soft">after ${counted(error.attempts, "attempt")}</span>:
              <span class="error-text">${error.error}</span></li>`)}</ul>
            ${progress.failed > errors.length ? html`<p class="soft">and ${progress.failed - errors.length} more</p>` : nothing}`
        : nothing}
    </div>`,
    element("job"),
  );
}

element("filter").addEventListener("submit", (event) => event.preventDefault());
element("filter").addEventListener("input", () => {
  jobs = [];
  shielded(look)();
});
const asLocation = () => shielded(open)(new URLSearchParams(location.search).get("job"));
addEventListener("popstate", asLocation);
shielded(look)();
asLocation();
