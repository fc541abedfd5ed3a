/**
 * A person's hands in Chromium: every click, every field that is typed into and every key is counted.
 *
 * What the pages need is waited for; nobody thinks between two steps, so seconds are those of the console alone.
 */
export class Hands {
  /** Begin at the console's home page. */
  constructor(page, base, patience) {
    Object.assign(this, { page, base, patience, clicks: 0, fields: 0, keys: 0, notes: [] });
  }

  async begin() {
    await this.page.goto(`${this.base}/admin/`, { waitUntil: 'load' });
    this.since = performance.now();
  }

  /** Seconds since the home page was open. */
  get seconds() {
    return (performance.now() - this.since) / 1000;
  }

  async click(where) {
    await where.click();
    this.clicks += 1;
  }

  /** Click and wait for the page that it opens. */
  async follow(where) {
    await Promise.all([this.page.waitForEvent('load'), this.click(where)]);
  }

  /** Replace what stands in a field, as a person does: into it, all of it, over it. */
  async type(where, text) {
    await where.click();
    await where.press('Control+A');
    await where.pressSequentially(String(text));
    this.fields += 1;
    this.keys += String(text).length;
  }

  /** Type into a box that offers what the catalogue has, and take the first that is offered. */
  async take(label, text) {
    const box = this.page.getByRole('combobox', { name: `Search ${label}`, exact: true });
    await this.type(box, text);
    const offered = this.page.getByRole('listbox', { name: `Found for ${label}` }).getByRole('option').first();
    await offered.waitFor();
    await this.click(offered);
  }

  /** Open a list of choices and pick one: two clicks. */
  async choose(where, label) {
    await where.selectOption({ label });
    this.clicks += 2;
  }

  async check(where) {
    await where.check();
    this.clicks += 1;
  }

  /** Drag a card onto another one. */
  async drag(from, to) {
    await from.dragTo(to);
    this.clicks += 1;
  }

  /** Open an entry of the sidebar. */
  async open(entry) {
    const named = new RegExp(`^(\\S+ )?${entry}$`); // the name of its icon stands before it
    await this.follow(this.page.locator('#nav-sidebar').getByRole('link', { name: named }));
  }

  /** Open a row of a list by its name. */
  async row(name) {
    await this.follow(this.page.locator('#result_list').getByRole('link', { name, exact: true }).first());
  }

  async placement(name) {
    await this.open('Placements');
    await this.row(name);
  }

  async steer(name) {
    await this.placement(name);
    await this.follow(this.page.getByRole('link', { name: 'Steer by hand' }));
  }

  /** Make a move on the page on which lists are steered; its answer replaces part of the page. */
  async move(where) {
    const answered = this.page.waitForResponse((reply) => reply.request().headers()['x-steer'] === 'part');
    await this.click(where);
    await answered;
    await this.page.locator('[data-part]:not([aria-busy])').waitFor();
  }

  /** Press the button of a list that adds to it. */
  async add() {
    await this.follow(this.page.locator('a.addlink').first());
  }

  async newRule(name) {
    await this.open('Rules');
    await this.add();
    await this.type(this.page.locator('#id_name'), name);
  }

  /** Choose the site where the form does not know it: there is one. */
  async site() {
    const field = this.page.locator('#id_site');
    if (!(await field.inputValue())) await this.choose(field, 'Shop');
  }

  async action(label) {
    await this.choose(this.page.locator('#id_action'), label);
  }

  /** Tick a placement of the form of a rule or an experiment. */
  async where(name) {
    await this.check(this.page.getByRole('checkbox', { name: new RegExp(`^${name}\\b`) }));
  }

  async unfold(title) {
    await this.click(this.page.locator('summary', { hasText: title }));
  }

  /** Press a button that saves; where the console asks whether this is intended, say so and press again. */
  async save(name = 'Save and publish') {
    const button = () => this.page.getByRole('button', { name, exact: true }).first();
    await this.follow(button());
    const confirm = this.page.locator('input[name="confirms"]');
    if (await confirm.count()) {
      this.notes.push((await this.page.locator('.rs-finding strong').allTextContents()).join(', '));
      await this.check(confirm.first());
      await this.follow(button());
    }
    const wrong = await this.page.locator('.errornote, .errorlist, [role=alert] .rs-bad').allTextContents();
    if (wrong.length) throw Error(`not saved: ${wrong.join(' ').replace(/\s+/g, ' ').slice(0, 400)}`);
  }
}
