/** `<rec-widget>` out of the package. */
export type { RecWidgetElement, WidgetAttributes, WidgetEvents } from './rec.js';

/** Define the element, once per page; does nothing on a server. */
export declare function defineWidget(): void;
