/*! rec.js 1.0.0 | Apache-2.0 */
dispatchEvent(new CustomEvent("rec:reader",{detail:()=>{}}));