// Several segmentation jobs that are shown as one: pictures that were too many for one request are sent in several.

import { allOf, at, followJob, getJson, patiently, send } from "./api.js";

export const ENDED = ["done", "failed", "partly failed", "cancelled"];
const LOOK_MS = 400;
const PATIENCE = 4;
const PAGE = 500;

const isEnded = ({ state }) => ENDED.includes(state);

/** The state of several jobs that have ended: where they differ it is "partly failed", or "cancelled". */
export function stateOfAll(states) {
  const different = new Set(states);
  if (different.size === 1) return states[0];
  return different.has("cancelled") ? "cancelled" : "partly failed";
}

/** Jobs in the order in which they were submitted, followed until each has ended. */
export class JobGroup {
  /**
   * @param {() => void} onChange called whenever more is known
   */
  constructor(onChange) {
    this.onChange = onChange;
    /** @type {{id: string, files: File[], details: object | null, items: object[]}[]} */
    this.jobs = [];
    /** How many pictures are still to be sent. */
    this.unsent = 0;
    /** Whether sending them has failed. */
    this.isInterrupted = false;
    /** Whether they are not to be sent any more. */
    this.isCancelled = false;
    this.stopping = new AbortController();
    this.following = null;
  }

  /**
   * Follow another job.
   * @param {string} id
   * @param {File[]} files its pictures, in order; empty where they are not at hand
   */
  add(id, files) {
    this.jobs.push({ id, files, details: null, items: [] });
    this.following ??= this.#follow();
    return this.following;
  }

  /** Follow no more. */
  stop() {
    this.stopping.abort();
  }

  get isStopped() {
    return this.stopping.signal.aborted;
  }

  get ids() {
    return this.jobs.map((job) => job.id);
  }

  /** Results of all jobs, in order; each with its job, its key among all, and its file where that is at hand. */
  get items() {
    return this.jobs.flatMap((job) => job.items);
  }

  /** What was asked of the jobs; null until it is known. */
  get parameters() {
    return this.jobs[0]?.details?.parameters ?? null;
  }

  get isOpen() {
    return this.unsent > 0 || this.jobs.some((job) => !job.details || !isEnded(job.details));
  }

  /** The state of all once they have ended. */
  get state() {
    return stateOfAll(this.jobs.map((job) => job.details?.state));
  }

  /** How many pictures of all jobs, and of those that are not sent yet, are where. */
  get progress() {
    const known = this.jobs.filter((job) => job.details).map((job) => job.details.progress);
    const sum = (name) => known.reduce((total, progress) => total + progress[name], 0);
    const unknown = this.jobs.filter((job) => !job.details).reduce((total, job) => total + job.files.length, 0);
    const [done, failed, cancelled] = ["done", "failed", "cancelled"].map(sum);
    const isGuess = this.unsent || unknown || known.some((progress) => progress.seconds_left === null);
    return {
      total: sum("total") + unknown + this.unsent,
      done,
      failed,
      cancelled,
      ended: done + failed + cancelled,
      secondsLeft: isGuess ? null : sum("seconds_left"),
    };
  }

  /** Cancel the jobs that are open, and send no more. */
  async cancel() {
    Object.assign(this, { isCancelled: true, unsent: 0 });
    const open = this.jobs.filter((job) => !job.details || !isEnded(job.details));
    await Promise.all(
      open.map((job) =>
        send("DELETE", at(["v1", "jobs", job.id])).catch((error) => {
          if (error.status !== 409) throw error; // it has ended meanwhile
        }),
      ),
    );
  }

  async #follow() {
    const { signal } = this.stopping;
    try {
      await null; // jobs that are added together are described together
      await Promise.all(this.jobs.map((job) => this.#describe(job))); // totals before the first is followed
      // One after the other: a browser has few connections to a server, and jobs are worked on in this order.
      for (let job; !this.isStopped && (job = this.jobs.find((one) => !one.details || !isEnded(one.details))); ) {
        await this.#followOne(job, signal);
      }
    } finally {
      this.following = null;
    }
  }

  async #followOne(job, signal) {
    let [last, took] = [0, 0];
    for await (const { state } of followJob(job.id, signal)) {
      const begun = Date.now();
      if (!ENDED.includes(state) && begun - last < Math.max(LOOK_MS, PATIENCE * took)) continue; // long lists: less often
      await patiently(() => this.#look(job), { signal });
      last = Date.now();
      took = last - begun;
    }
    if (!signal.aborted && !isEnded(job.details ?? {})) await patiently(() => this.#look(job), { signal });
  }

  async #describe(job) {
    job.details = await patiently(() => getJson(at(["v1", "jobs", job.id])), { signal: this.stopping.signal });
    // until its results are read it counts as open, also where it has ended
    if (isEnded(job.details)) await patiently(() => this.#look(job), { signal: this.stopping.signal });
    else if (!this.isStopped) this.onChange();
  }

  /** Ask how far a job is, and for the results that there are. */
  async #look(job) {
    const details = await getJson(at(["v1", "jobs", job.id])); // before the results, so that none is missing at the end
    const open = job.items.findIndex((item) => !isEnded(item));
    const kept = open < 0 ? job.items : job.items.slice(0, open);
    const news = [];
    const place = ["v1", "jobs", job.id, "results"];
    for await (const item of allOf(place, { limit: PAGE, after: kept.at(-1)?.number })) {
      news.push({ ...item, job: job.id, key: `${job.id}/${item.number}`, file: job.files[item.number - 1] });
    }
    if (this.isStopped) return;
    job.details = details;
    job.items = [...kept, ...news];
    this.onChange();
  }
}
