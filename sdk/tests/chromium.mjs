/**
 * Chromium for tests without the parts that no page needs. It imports nothing, so that any driver may import it.
 *
 * Each window of a current Chromium draws the popup of its address bar as a page of its own, hidden: measured for 156, 1.1 s
 * of CPU a window, where the page under test takes .1 s.
 */
const NOT_NEEDED = ['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'WebUIOmniboxFullPopup'];

/** What Playwright switches off itself, as far as it concerns a test: of two such flags the last counts. */
const OF_PLAYWRIGHT = [
  'AimEnabled',
  'AvoidCorsURLLoaderRestartOnRedirect',
  'AvoidUnnecessaryBeforeUnloadCheckSync',
  'DestroyProfileOnBrowserClose',
  'HttpsFirstBalancedModeAutoEnable',
  'HttpsUpgrades',
  'LensOverlay',
  'MediaRouter',
  'NetworkTimeServiceQuerying',
  'OptimizationHints',
  'PaintHolding',
  'PreconnectToSearch',
  'ThirdPartyStoragePartitioning',
];

/** A flag for the command line. */
export const LIGHT = `--disable-features=${[...OF_PLAYWRIGHT, ...NOT_NEEDED]}`;
