/** What a banner said in one tab, told to the others without storing it. */
const NAME = 'rec_consent';

/**
 * Call `hear` with what other tabs tell; a page that is left is no listener, or it could not be kept for the way back.
 * @param {(word: string) => void} hear
 */
export const tabs = (hear) => {
  let channel;
  const open = () => {
    if (channel || typeof BroadcastChannel !== 'function') return;
    channel = new BroadcastChannel(NAME);
    channel.onmessage = ({ data }) => (data === 'granted' || data === 'denied') && hear(data);
  };
  const close = () => {
    channel?.close();
    channel = undefined;
  };
  open();
  addEventListener('pagehide', close);
  addEventListener('pageshow', open);
  return { tell: (word) => channel?.postMessage(word) };
};
