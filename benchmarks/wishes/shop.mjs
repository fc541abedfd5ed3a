/** What the shop's pages get: lists over HTTP, asked again until they are as wished. */
export class Shop {
  constructor({ base, key, secret, member }, patience) {
    Object.assign(this, { base, key, secret, member, patience });
  }

  /** Return the item ids of a list as the page of a visitor gets it; `who` and the like stand in `more`. */
  async list(placement, more = {}) {
    const headers = { 'Content-Type': 'application/json' };
    if (more.user_id) headers.Authorization = `Bearer ${this.secret}`; // the shop's server names its shoppers
    const body = JSON.stringify({ ...(more.user_id ? {} : { key: this.key, anonymous_id: visitor(0) }), placement, ...more });
    const reply = await fetch(`${this.base}/v1/recommendations`, { method: 'POST', headers, body });
    if (!reply.ok) throw Error(`${placement}: ${reply.status} ${await reply.text()}`);
    return (await reply.json()).results[0].items.map((item) => item.item_id);
  }

  /** Ask until the list is as `wished` says; throw what it is when it never becomes so. */
  async shows(placement, wished, more = {}) {
    const until = performance.now() + this.patience;
    for (;;) {
      const found = await this.list(placement, more);
      if (wished(found)) return found;
      if (performance.now() > until) throw Error(`${placement} shows ${found.join(' ')}`);
      await new Promise((done) => setTimeout(done, 100));
    }
  }

  /** Return how many of so many visitors get a list that is as `wished` says. */
  async share(placement, wished, visitors) {
    const lists = await Promise.all(Array.from({ length: visitors }, (_, n) => this.list(placement, { anonymous_id: visitor(n) })));
    return lists.filter(wished).length / visitors;
  }
}

/** The anonymous id of a made-up visitor. */
export function visitor(number) {
  return `wish${String(number).padStart(6, '0')}`.padEnd(32, 'x');
}
