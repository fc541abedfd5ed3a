/** Live updates of a list: drawn when nobody is in the middle of it, and when nothing below would jump. */
import { announce } from './impressions.js';

const watched = new WeakSet();

/** Show the fresh list, but never under the pointer or the focus, and never by pushing away what is below. */
export const settle = (widget) => {
  const { fresh, host, status } = widget;
  const again = () => setTimeout(settle, 0, widget); // :hover and :focus change after the event
  if (!watched.has(host)) {
    watched.add(host);
    host.addEventListener('pointerleave', again);
    host.addEventListener('focusout', again);
  }
  // After a tap, :hover stays on a touch screen.
  const inUse = matchMedia('(hover:none)').matches ? ':active' : ':hover';
  if (!fresh?.items?.[0] || !widget.fits(fresh.items.length) || host.matches(inUse + ',:focus-within')) return;
  widget.fresh = undefined;
  if (!announce(host, 'update', fresh)) return;
  widget.show(fresh);
  status.textContent = host.getAttribute('label-updated') || 'Recommendations updated';
};
