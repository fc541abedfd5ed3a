/** Files of this very version, which a page loads when something of it uses them. */
export const load = (name) => import(`${rec.host}/r/v${VERSION}/${name}.js`);
