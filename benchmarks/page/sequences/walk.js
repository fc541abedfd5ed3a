/**
 * Random walks of one visitor through two tabs of a shop, held against a model of what may be drawn, stored and sent.
 *
 * Runs in a window whose two frames are tabs of one browser: they share storage and cookies, and hear each other's storage
 * events. The model is `step`; everything else drives, watches and compares.
 */
const N = +new URLSearchParams(location.search).get("n"); // windows that walk at the same time share nothing
const RUN = Math.random().toString(36).slice(2, 8); // another run on the same server has other users
const USERS = ["ann" + RUN, "bob" + RUN];
// What may be said next. Nobody says "pending": a page begins so, where its script tag says it.
const WORDS = { granted: ["granted", "denied"], denied: ["granted"], pending: ["granted", "denied"] };
// Longer than the script itself waits for an answer (10 s for events, 5 s for lists): what it gave up is over by then.
const WITHIN_MS = 20_000;
const tabs = [];
const ITEMS = 100; // of this window
const KEPT = 4; // in the list of one user
let numberOfItem = 0;
const lists = new Map(); // key of a user -> items, newest first
const owners = new Map(); // item id -> whose, newest last
const ids = new Map(); // anonymous id -> number of the visitor
let visitors = 0;

/** Return numbers below 1 that are the same for the same seed (mulberry32). */
const numbers = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let n = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  n = (n + Math.imul(n ^ (n >>> 7), 61 | n)) ^ n;
  return ((n ^ (n >>> 14)) >>> 0) / 2 ** 32;
};

const pause = (ms = 0) => new Promise((resolve) => setTimeout(resolve, ms));

const frozen = (state) => structuredClone(state);

/** The model. `users` are whom each tab was told of, `login` whom the browser's session knows, `visitor` counts strangers. */
const step = (state, { does, tab, word, user, isGpc, renews }) => {
  const s = frozen(state);
  const isNobody = () => ({ visitor: s.visitor + 1, users: [null, null], login: null });
  if (isGpc) return s;
  if (does === "consent" && word !== s.choice) Object.assign(s, { choice: word }, word !== "granted" && isNobody());
  if (does === "reset") s.choice === "granted" ? Object.assign(s, isNobody()) : (s.users[tab] = null);
  if (does === "identify" || does === "reload") s.users[tab] = user ?? null;
  const here = s.choice === "granted" && (s.users[tab]?.user ?? s.login ?? s.users[1 - tab]?.user);
  if (!here || here === s.login) return s;
  const hears = (told, n) => (told?.user === here ? told : renews[n] ? { user: here, isValid: true } : null);
  return { ...s, login: here, users: s.users.map(hears) };
};

/** Whose items a list may show in a tab: the visitor's own and, with a token that is valid, those of the user. */
const mayShow = (state, tab, { isGpc, renews }) => {
  if (state.choice !== "granted" || isGpc) return [];
  const told = state.users[tab];
  return ["visitor" + state.visitor, told && (told.isValid || renews[tab]) && told.user].filter(Boolean);
};

/** One browser's walks. */
class Walk {
  constructor() {
    this.violations = [];
    this.mostSockets = 0;
  }

  blame(what) {
    this.violations.push(`seed ${this.seed}, after ${this.trail.join(" ")}: ${what}`);
  }

  /** States that a tab may be in: the one, or, while it has not heard of the other tab's, one of two. */
  states(tab) {
    return tab === this.waiting ? [this.before, this.state] : [this.state];
  }

  noteFor(tab) {
    const walk = this;
    return {
      gpc: this.isGpc,
      consent: this.consent,
      choice: this.state.choice, // that it has heard of
      inFlight: 0,
      sockets: [],
      screen: [],
      heard: [], // what came over its sockets
      early() {
        const { told, renews } = walk;
        if (renews[tab]) this.frame().rec("token", (user) => walk.token(user, true));
        if (told) this.frame().rec("identify", told.user, told.token);
      },
      frame: () => tabs[tab].contentWindow,
      sent(kind, body, credentials) {
        const { anonymous_id: anonymous, user_id: user } = body;
        const allowed = walk.states(tab);
        const isGranted = !walk.isGpc && allowed.some((state) => state.choice === "granted");
        if (kind === "events" || (kind === "socket" && body.type === "hello")) {
          if (!isGranted) walk.blame(`${kind} sent without consent: ${JSON.stringify(body).slice(0, 200)}`);
        }
        if (kind === "events") return; // they belong to who was there when they happened
        if (kind === "socket") {
          const open = this.sockets.filter((socket) => socket.readyState < 2).length;
          walk.mostSockets = Math.max(walk.mostSockets, open);
        }
        if (kind === "lists" && !isGranted && (anonymous || user || credentials !== "omit")) {
          walk.blame(`a list is asked for ${anonymous} ${user} without consent`);
        }
        const visitor = ids.get(anonymous);
        if (visitor !== undefined && !allowed.some((state) => state.visitor === visitor)) {
          walk.blame(`${kind} for the former visitor ${visitor}`);
        }
        if (user && !allowed.some((state) => state.users[tab]?.user === user)) walk.blame(`${kind} for ${user}`);
      },
      drawn(items) {
        this.screen = items;
        walk.judge(tab, items);
      },
    };
  }

  judge(tab, items) {
    const may = this.states(tab).flatMap((state) => mayShow(state, tab, this));
    for (const item of items) {
      const owner = owners.get(item);
      if (!may.includes(owner)) this.blame(`tab ${tab} has drawn an item of ${owner}, and may show those of ${may}`);
    }
  }

  async token(user, isValid) {
    const answer = await fetch(`/shop/token?user=${user}&valid=${isValid ? 1 : 0}`);
    return (await answer.json()).token;
  }

  /** Let somebody see one more item, elsewhere; it is in nobody else's list. */
  async touch(owner, key = "u:" + owner) {
    const seen = lists.get(key) ?? [];
    lists.delete(key);
    lists.set(key, seen); // the newest last
    if (lists.size > 8) lists.delete([...lists.keys()].find((name) => name.startsWith("a:")));
    const taken = new Set([...lists.values()].flat());
    // The one that was out of use for longest: a list on its way may still have one that has just left it.
    let item;
    do item = `i${N * ITEMS + (numberOfItem++ % ITEMS)}`;
    while (taken.has(item));
    owners.set(item, owner);
    seen.unshift(item);
    seen.splice(KEPT);
    await fetch(`/shop/touch?user=${encodeURIComponent(key)}&items=${seen}`);
    return item;
  }

  rec(tab) {
    return tabs[tab].contentWindow.rec;
  }

  async until(isTrue, what) {
    for (const end = performance.now() + WITHIN_MS; performance.now() < end; await pause(3)) {
      if (isTrue()) return true;
    }
    this.blame("did not happen: " + (what.call ? what() : what));
    return false;
  }

  /** Whom a tab says that it is: choice, visitor and user. */
  said(tab) {
    const { anonymous_id: anonymous, user_id: user } = this.rec(tab).id();
    return { isGranted: !!anonymous, anonymous, user };
  }

  isPresent(anonymous) {
    return (ids.get(anonymous) ?? this.state.visitor) === this.state.visitor;
  }

  follows(tab) {
    const { choice, users } = this.state;
    const said = this.said(tab);
    const isGranted = choice === "granted" && !this.isGpc;
    if (said.isGranted !== isGranted || (!this.isGpc && tabs[tab].note.choice !== choice)) return false;
    return !isGranted || (said.user === users[tab]?.user && this.isPresent(said.anonymous));
  }

  async load(tab, told) {
    this.told = told;
    tabs[tab]?.remove();
    const frame = document.createElement("iframe");
    tabs[tab] = frame;
    frame.note = this.noteFor(tab);
    frame.src = "/shop/page";
    document.body.append(frame);
    await this.until(() => frame.contentWindow.rec?.version, `tab ${tab} starts`);
  }

  async start(seed) {
    this.seed = seed;
    this.trail = [];
    this.random = numbers(seed);
    this.isGpc = this.random() < 0.05;
    this.renews = [this.random() < 0.5, this.random() < 0.5];
    this.told = undefined; // whom a page names before the script is there
    this.waiting = undefined;
    await this.clear();
    localStorage.clear();
    document.cookie = "rec_aid=;path=/;max-age=0";
    this.consent = this.random() < 0.3 ? "pending" : "granted"; // until somebody chooses
    this.state = { choice: this.consent, visitor: ++visitors, users: [null, null], login: null };
    await this.load(0);
    await this.load(1);
    this.meet();
  }

  /** Leave nothing of an earlier walk, nor of what is on its way for it. */
  async clear() {
    if (tabs[0] && !tabs[0].note.gpc) tabs.forEach((frame) => frame.contentWindow.rec?.consent("denied"));
    for (let n = 0; n < 100 && tabs.length && !this.isQuiet(); n++) await pause(5);
    tabs.forEach((frame) => frame.remove());
    tabs.length = 0;
  }

  one(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  async choose() {
    const tab = this.one([0, 1]);
    const does = this.one([
      "identify",
      "identify",
      "consent",
      "reset",
      "reload",
      "leave",
      "track",
      "touch",
      "wait",
      "look",
    ]);
    if (does === "identify" || (does === "reload" && this.random() < 0.5)) {
      const [user, isValid] = [this.one(USERS), this.random() < 0.75];
      return { does, tab, user: { user, isValid, token: await this.token(user, isValid) } };
    }
    return { does, tab, word: does === "consent" ? this.one(WORDS[this.state.choice]) : undefined };
  }

  async act(action) {
    const { does, tab, word, user } = action;
    this.trail.push(`${does}${tab}${word ? ":" + word : ""}${user ? ":" + user.user + (user.isValid ? "" : "!") : ""}`);
    const next = step(this.state, { ...action, isGpc: this.isGpc, renews: this.renews });
    const isChange = JSON.stringify(next) !== JSON.stringify(this.state);
    [this.before, this.state] = [
      this.state,
      { ...next, visitor: next.visitor > this.state.visitor ? ++visitors : next.visitor },
    ];
    if (isChange) this.waiting = 1 - tab;
    if (does === "identify") this.rec(tab).identify(user.user, user.token);
    if (does === "consent") this.rec(tab).consent(word);
    if (does === "reset") this.rec(tab).reset();
    if (does === "reload") await this.load(tab, user);
    if (does === "track") this.rec(tab).track("view_item", { items: [{ item_id: "i1" }] });
    if (does === "leave") {
      const frame = tabs[tab].contentWindow;
      frame.dispatchEvent(new frame.PageTransitionEvent("pagehide", { persisted: true }));
      await pause(this.random() * 10);
      frame.dispatchEvent(new frame.PageTransitionEvent("pageshow", { persisted: true }));
    }
    if (does === "touch") await this.touch(this.one(USERS));
    if (does === "wait") await pause(this.random() * 30);
    if (does === "look") await this.look();
    for (const each of [tab, 1 - tab])
      await this.until(
        () => this.follows(each),
        `tab ${each} follows ${JSON.stringify(this.state)}, says ${JSON.stringify(this.said(each))}`,
      );
    this.waiting = undefined;
    this.meet();
  }

  /** Remember the id of this visitor, once both tabs agree on it. */
  meet() {
    const [one, other] = [this.said(0).anonymous, this.said(1).anonymous];
    if (!one || one !== other) return;
    if (!ids.has(one)) ids.set(one, this.state.visitor);
    if (ids.get(one) !== this.state.visitor) this.blame(`the former visitor ${ids.get(one)} is back`);
  }

  isQuiet() {
    return tabs.every(({ note }) => !note.inFlight);
  }

  /** Wait until nothing is on its way, then look at ids, storage and the screen. */
  async look() {
    await this.until(() => this.isQuiet(), "all is answered");
    await pause(6);
    await this.until(() => this.isQuiet(), "all is answered");
    const isGranted = this.state.choice === "granted" && !this.isGpc;
    if (isGranted) {
      await this.until(() => this.said(0).anonymous === this.said(1).anonymous, "both tabs are one visitor");
      this.meet();
    } else {
      const databases = (await indexedDB.databases()).map(({ name }) => name);
      const may = this.state.choice === "denied" && !this.isGpc ? ["rec_consent"] : [];
      const left = () =>
        [...Object.keys(localStorage), ...Object.keys(sessionStorage), document.cookie, ...databases].filter(
          (name) => name && !may.includes(name),
        );
      // An answer that was on its way may set its cookie, and the script takes it away again.
      await this.until(
        () => !left().length,
        () => `nothing is stored without consent, but ${left()}`,
      );
      for (const { note } of tabs)
        if (note.sockets.some((socket) => socket.readyState < 2)) this.blame("a socket without consent");
    }
    for (const tab of [0, 1]) {
      // A list that is on its way may take the place of one that was on screen; what stays has to be theirs.
      const may = mayShow(this.state, tab, this);
      const isTheirs = () => this.onScreen(tab).every((item) => may.includes(owners.get(item)));
      await this.until(isTheirs, () => `tab ${tab} keeps ${this.onScreen(tab).map((item) => owners.get(item))}`);
    }
  }

  /** The items that somebody who looks at a tab sees. */
  onScreen(tab) {
    const { shadowRoot, hidden } = tabs[tab].contentDocument.querySelector("rec-widget");
    const links = hidden ? [] : [...(shadowRoot?.querySelectorAll("a[href]") ?? [])];
    return links.map((link) => link.getAttribute("href").split("/").pop());
  }

  /** Live updates follow whoever is here now. */
  async live() {
    if (this.state.choice !== "granted" || this.isGpc) return;
    const tab = this.one([0, 1]);
    const told = this.state.users[tab];
    const isUser = told && (told.isValid || this.renews[tab]);
    // A token that the server did not take yet is renewed on its warning.
    if (isUser && !told.isValid)
      await this.until(() => this.rec(tab).id().user_token !== told.token, "the token is renewed");
    const open = ({ sockets }) => sockets.at(-1)?.readyState === 1;
    if (!(await this.until(() => open(tabs[tab].note), `a socket of tab ${tab}`))) return;
    const item = isUser
      ? await this.touch(told.user)
      : await this.touch("visitor" + this.state.visitor, "a:" + this.said(tab).anonymous);
    // The widget may hold it back where the page would jump; that it came is what counts here.
    const has = ({ screen, heard }) => screen.includes(item) || heard.some((text) => text.includes(`"${item}"`));
    await this.until(() => has(tabs[tab].note), `tab ${tab} hears of ${item} of ${owners.get(item)}`);
  }

  async run(seed, length) {
    await this.start(seed);
    for (let n = 0; n < length && !this.violations.length; n++) await this.act(await this.choose());
    if (!this.violations.length) await this.look();
    if (!this.violations.length) await this.live();
  }
}

window.noteOf = (frame) => tabs.find((tab) => tab?.contentWindow === frame).note;

/** Walk `seeds`, and return violations and the most sockets that one tab had open. */
window.walk = async (seeds, length) => {
  const found = { violations: [], sockets: 0 };
  for (const seed of seeds) {
    const walk = (window.now = new Walk());
    await walk.run(seed, length);
    found.violations.push(...walk.violations.slice(0, 1));
    found.sockets = Math.max(found.sockets, walk.mostSockets);
  }
  return found;
};
