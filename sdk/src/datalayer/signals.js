/** What consent banners say: the strictest word counts, and IAB's TCF 2.2 is followed where it is on the page. */

/**
 * Return the strictest of some states; undefined where nobody spoke.
 * @param {...(string | undefined)} states
 */
export const strictest = (...states) => ['denied', 'pending', 'granted'].find((state) => states.includes(state));

/**
 * The purposes of TCF 2.2 that recommendations need consent for: 1 store and access information on a device, 5 create
 * profiles to personalise content, 6 use profiles to select personalised content.
 */
export const PURPOSES = [1, 5, 6];

/**
 * Return the state that TCF data means; undefined where it says nothing yet.
 * @param {any} data as given to a listener of `addEventListener`
 * @param {boolean} isGood
 */
export const judge = (data, isGood) => {
  if (!isGood || !data) return;
  if (data.gdprApplies === false) return 'granted';
  if (data.eventStatus !== 'tcloaded' && data.eventStatus !== 'useractioncomplete') return;
  return PURPOSES.every((purpose) => data.purpose?.consents?.[purpose] === true) ? 'granted' : 'denied';
};

/**
 * Follow the TCF banner of `scope`; `look` again when it may have come, and `speak` is called when its word changes.
 * @param {any} scope the window
 * @param {() => void} speak
 */
export const follow = (scope, speak) => {
  let state;
  return {
    state: () => state,
    look: () => {
      if (state || typeof scope.__tcfapi !== 'function') return;
      state = 'pending';
      speak();
      try {
        scope.__tcfapi('addEventListener', 2, (data, isGood) => {
          state = judge(data, isGood) || state;
          speak();
        });
      } catch {
        // A banner that throws has not said yes.
      }
    },
  };
};
