/** How long a page may take for what takes milliseconds on an idle machine: beyond it, it will never happen. */
export const DEADLINE_MS = 120_000;
