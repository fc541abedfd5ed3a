/**
 * Beside the form of a placement: the shop's own widget, with what is typed just now. The widget asks as on a page; its
 * request is answered by the form's trial, and what it would count goes nowhere.
 */
(() => {
  const PAUSE_MS = 400;

  function begin() {
    const beside = document.querySelector('[data-trial-url]');
    const form = beside?.closest('form');
    if (!form) return;
    const said = beside.querySelector('[role=status]');
    const holder = beside.querySelector('.rs-trial');
    const token = form.querySelector('[name=csrfmiddlewaretoken]').value;
    const plainFetch = window.fetch.bind(window);
    const draft = () => [...new FormData(form)].filter(([name, value]) => typeof value === 'string' && name !== 'csrfmiddlewaretoken');

    window.fetch = async (address, options) => {
      if (address !== '/v1/recommendations') return plainFetch(address, options);
      // With cookies, which the widget leaves out on a shop's page: the form's session is one.
      const reply = await plainFetch(beside.dataset.trialUrl, { ...options, credentials: 'same-origin', headers: { 'X-CSRFToken': token } });
      const answer = reply.ok ? await reply.clone().json() : undefined;
      if (!answer) said.textContent = `${beside.dataset.failed} (${reply.status})`;
      else said.textContent = answer.problem || (answer.results[0]?.items.length ? '' : beside.dataset.none);
      return reply;
    };
    window.rec = Object.assign(() => {}, { version: 'trial', host: '', key: '', id: () => ({ draft: draft() }), track() {}, on() {} });

    let timer;
    const show = () => {
      const widget = document.createElement('rec-widget');
      widget.setAttribute('placement', beside.dataset.placement);
      widget.setAttribute('heading', ''); // that of the form
      holder.replaceChildren(widget);
    };
    const soon = () => {
      clearTimeout(timer);
      timer = setTimeout(show, PAUSE_MS);
    };
    const script = document.createElement('script');
    script.src = beside.dataset.widget;
    script.addEventListener('load', show);
    document.head.append(script);
    form.addEventListener('input', soon);
    form.addEventListener('change', soon);
  }

  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', begin);
  else begin();
})();
