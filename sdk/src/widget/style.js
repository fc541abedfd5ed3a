/**
 * The widget's style sheet. A constructed sheet needs no exception in a strict Content-Security-Policy.
 *
 * Skeleton and card have the same fixed height, so that nothing moves when the list arrives.
 */
const CSS = `
:host{display:block;container-type:inline-size;color:var(--rec-color,inherit);font:var(--rec-font,inherit)}
:host([hidden]){display:none}
section{--c:var(--rec-columns,var(--n));--g:var(--rec-gap,20px);--k:var(--rec-skeleton,color-mix(in srgb,currentColor 9%,transparent))}
header{display:flex;gap:8px;align-items:center;min-height:36px;margin-bottom:14px}
h2{flex:1;margin:0;font:var(--rec-heading-font,650 1.375em/1.25 inherit);font-family:inherit;letter-spacing:-.015em;text-wrap:balance}
ul{list-style:none;margin:0;padding:0;display:grid;gap:calc(var(--g)*1.4) var(--g);grid-template-columns:repeat(var(--c),minmax(0,1fr))}
li{position:relative;min-width:0}
a{display:block;color:inherit;text-decoration:none;border-radius:var(--rec-radius,12px)}
a:focus-visible,button:focus-visible{outline:2px solid var(--rec-focus,#1a66ff);outline-offset:3px}
.m{position:relative;aspect-ratio:var(--rec-ratio,1);border-radius:var(--rec-radius,12px);overflow:hidden;background:var(--k)}
img{width:100%;height:100%;object-fit:var(--rec-fit,cover);display:block}
.t{height:var(--rec-text-height,5.75em);overflow:hidden;padding-top:.65em;line-height:1.35}
.b{font-size:.75em;opacity:.7;white-space:nowrap;overflow:hidden;text-overflow:ellipsis;margin-bottom:.15em}
.n{display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:2;overflow:hidden;font-size:.9375em}
a:hover .n{text-decoration:underline;text-underline-offset:.2em;text-decoration-thickness:1px}
.p{margin-top:.2em;font-weight:650;font-variant-numeric:tabular-nums}
.o{color:var(--rec-sale,#b3261e)}
s{margin-inline-start:.45em;color:var(--rec-color,CanvasText);opacity:.65;font-weight:400;font-size:.875em}
.d{position:absolute;top:10px;inset-inline-start:10px;padding:.2em .55em;border-radius:99px;background:var(--rec-sale,#b3261e);color:#fff;font:650 .75em/1.4 inherit;font-family:inherit}
.k{pointer-events:none}
.k :is(.b,.n,.p):before{content:"";display:block;height:.85em;width:80%;margin:.25em 0;border-radius:4px;background:var(--k)}
.k .b:before{width:35%}.k .p:before{width:25%}
.h{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
button{all:unset;box-sizing:border-box;width:36px;height:36px;border-radius:50%;display:grid;place-items:center;cursor:pointer;border:1px solid color-mix(in srgb,currentColor 22%,transparent)}
button:hover{background:var(--k)}
button:disabled{opacity:.35;cursor:default}
button:before{content:"";width:7px;height:7px;border:solid;border-width:2px 2px 0 0;rotate:45deg;translate:-1.5px}
button:first-of-type:before,button:last-of-type:dir(rtl):before{rotate:-135deg;translate:1.5px}
button:first-of-type:dir(rtl):before{rotate:45deg;translate:-1.5px}
.c ul{grid-auto-flow:column;grid-template-columns:none;grid-auto-columns:calc((100% - (var(--c) - 1)*var(--g))/var(--c));overflow-x:auto;scroll-snap-type:x mandatory;overscroll-behavior-x:contain;scrollbar-width:none;padding:5px;margin:-5px;scroll-padding:5px}
.c li{scroll-snap-align:start}
@container(max-width:900px){section{--c:var(--rec-columns-md,var(--m))}}
@container(max-width:640px){section{--c:var(--rec-columns-sm,2);--g:var(--rec-gap,14px)}.c{--c:var(--rec-columns-sm,2.3)}}
@media(prefers-reduced-motion:no-preference){
.c ul{scroll-behavior:smooth}
img{transition:scale .4s}
a:hover img{scale:1.04}
.f{animation:f .35s}
.k{animation:f 1s infinite alternate}
@keyframes f{from{opacity:.35}}}
`;

let sheet;

/** Return the one sheet that all widgets share. */
export const styleSheet = () => {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
};
