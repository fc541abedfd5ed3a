/** `<rec-widget>` in JSX, for React 18 and 19: `import type {} from '@recsite/js/jsx'` once in a project. */
import type { DetailedHTMLProps, HTMLAttributes } from 'react';
import type { RecWidgetElement, WidgetAttributes, WidgetEvents } from './rec.js';

/** React 19 hands `on<event>` to custom elements; in React 18 listen with a ref. */
type Handlers = { [Name in keyof WidgetEvents as `on${Name}`]?: (event: WidgetEvents[Name]) => void };

type Props = DetailedHTMLProps<HTMLAttributes<RecWidgetElement>, RecWidgetElement> &
  WidgetAttributes &
  Handlers &
  Partial<Pick<RecWidgetElement, 'template' | 'renderItems'>> & { class?: string };

declare module 'react' {
  namespace JSX {
    interface IntrinsicElements {
      'rec-widget': Props;
    }
  }
}
declare global {
  namespace JSX {
    interface IntrinsicElements {
      'rec-widget': Props;
    }
  }
}
