/** Names the sources use that TypeScript's DOM library does not know yet, and those of the build. */
declare const VERSION: string;
declare const rec: any;
declare const navigation: EventTarget;
declare module '*.css' {
  const text: string;
  export default text;
}
interface Window {
  rec?: any;
  recsite?: Record<string, string>;
  dataLayer?: any[];
  navigation?: EventTarget;
  __tcfapi?: (...args: any[]) => void;
}
interface Navigator {
  globalPrivacyControl?: boolean;
}
interface Document {
  prerendering?: boolean;
}
